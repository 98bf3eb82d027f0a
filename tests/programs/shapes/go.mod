module shapes

go 1.15
