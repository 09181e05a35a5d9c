// Wheelhouse brings the car into the house: it takes what cars report and
// publishes it as MQTT topics that Home Assistant understands.
//
// This package wires everything, once: run.go is the program on one page, and
// each command has its file.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal kills
	os.Exit(command(ctx, console{
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Environ: os.Environ(), Getenv: os.Getenv,
	}, os.Args[1:]))
}
