# What every Makefile here begins with: flags, and objects that are made again when a header or a flag has changed.
CC ?= cc
AR ?= ar
CFLAGS ?= -O2 -g
override CFLAGS += -std=c11 -Wall -Wextra -Wpedantic -Werror -ffile-prefix-map=$(CURDIR)=.
override CPPFLAGS += -MMD -MP

# Compiler and flags, as text without the place of this tree; touched only when they are others than before.
TOLD := $(shell $(CC) --version | head -n 1) $(subst $(CURDIR),.,$(CFLAGS) $(CPPFLAGS) $(LDFLAGS))
$(shell mkdir -p build; printf '%s\n' '$(TOLD)' | cmp -s - build/flags || printf '%s\n' '$(TOLD)' > build/flags)

build/%.o: src/%.c build/flags
	$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

-include $(wildcard build/*.d)
