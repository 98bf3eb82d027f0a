module web

go 1.15
