"""Why two files differ: archives member by member, in bounded memory and time, whatever somebody put into them."""
