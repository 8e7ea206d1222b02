#!/bin/sh
# embed.sh - writes files as a C array, of pairs NAME=FILE. A file that is empty is left out.
#
# usage: embed.sh NAME=FILE ...
set -eu
echo "/* The files of the status page, made by embed.sh; do not edit. */"
echo '#include "status_room.h"' 
count=0
rows=
for pair; do
	name=${pair%%=*}
	file=${pair#*=}
	[ -s "$file" ] || continue
	case $name in
	"" | *.html) type="text/html; charset=utf-8" ;;
	*.css) type="text/css; charset=utf-8" ;;
	*.js) type="text/javascript; charset=utf-8" ;;
	*.svg) type="image/svg+xml" ;;
	*) type="text/plain; charset=utf-8" ;;
	esac
	echo "static const uint8_t status_bytes_${count}[] = {"
	od -An -v -tu1 "$file" | sed 's/  */,/g; s/^,//; s/$/,/'
	echo "};"
	rows="$rows	{ \"$name\", \"$type\", status_bytes_$count, sizeof(status_bytes_$count) },
"
	count=$((count + 1))
done
echo "const struct status_file status_files[] = {"
printf '%s' "$rows"
echo "};"
echo "const size_t status_file_count = $count;"
