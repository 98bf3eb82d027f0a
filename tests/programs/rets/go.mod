module rets

go 1.15
