# schema.awk - turns the numbered .sql files of a schema into one C array named by -v array=, in the order given.
BEGIN {
	print "/* The migrations, made from NNN_name.sql; do not edit. */"
	print "#include \"migration.h\"\n"
	printf "const struct migration %s[] = {\n", array "s"
}

FNR == 1 {
	if (open_row)
		print "\t},"
	name = FILENAME
	sub(/.*\//, "", name)
	if (name !~ /^[0-9][0-9][0-9]_[a-z0-9_]+\.sql$/) {
		print name ": not NNN_name.sql" > "/dev/stderr"
		exit failed = 1
	}
	number = substr(name, 1, 3) + 0
	if (number <= last) {
		print name ": numbers have to rise" > "/dev/stderr"
		exit failed = 1
	}
	last = number
	count++
	printf "\t{ %d, \"%s\",\n", number, substr(name, 5, length(name) - 8)
	open_row = 1
}

{
	gsub(/\\/, "\\\\\\\\")
	gsub(/"/, "\\\"")
	gsub(/\t/, "\\t")
	print "\t    \"" $0 "\\n\""
}

END {
	if (failed)
		exit 1
	print "\t},"
	print "};"
	printf "const size_t %s_count = %d;\n", array, count
}
