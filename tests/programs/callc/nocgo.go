// +build !cgo

package main

func twice(n, id int64) int64 { return 2 * n }
