#!/bin/sh
echo "hello, built at @BUILT@"
