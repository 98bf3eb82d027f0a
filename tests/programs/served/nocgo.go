// +build !cgo

package main

func napInC(id uint64) { nap(id) }
