module httpmix

go 1.15
