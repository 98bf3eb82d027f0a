module kinds

go 1.15
