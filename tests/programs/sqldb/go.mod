module sqldb

go 1.15
