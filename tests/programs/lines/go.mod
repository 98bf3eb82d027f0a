module lines

go 1.15
