module words

go 1.15
