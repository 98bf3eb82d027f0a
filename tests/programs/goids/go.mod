module goids

go 1.15
