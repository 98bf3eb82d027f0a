module chain

go 1.15
