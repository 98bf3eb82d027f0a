module site

go 1.15
