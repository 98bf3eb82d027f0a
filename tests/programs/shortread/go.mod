module shortread

go 1.15
