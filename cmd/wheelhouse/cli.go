package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/alecthomas/kong"

	"github.com/wheelhouse-mqtt/wheelhouse/config"
)

// console is the world that a command talks to.
type console struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Environ        []string
	Getenv         func(string) string
}

// The exit codes. 78 is EX_CONFIG of sysexits.h: a service manager need not try
// again.
const (
	exitFailed = 1
	exitUsage  = 2
	exitConfig = 78
)

// commands are what people type.
type commands struct {
	Config string `help:"Configuration file." placeholder:"FILE" type:"path"`

	Serve       serveCommand       `cmd:"" default:"1" help:"Run the program (what happens without a command)."`
	Demo        demoCommand        `cmd:"" help:"Run the whole program with two simulated cars, to see what it does."`
	Simulate    simulateCommand    `cmd:"" help:"Be a simulated Car Stats Viewer that posts to any URL."`
	Check       checkCommand       `cmd:"" help:"Print the settings in effect, and what is wrong with them."`
	Health      healthCommand      `cmd:"" help:"Ask the running program how it is."`
	Credentials credentialsCommand `cmd:"" help:"Print what to type into the car and into Home Assistant."`
	Tesla       teslaCommand       `cmd:"" help:"Sign in at Tesla, and ask it things."`
	Export      exportCommand      `cmd:"" help:"Write a car's points, sessions or trips to standard output."`
	Republish   republishCommand   `cmd:"" help:"Announce cars to Home Assistant again, also those deleted there."`
	Forget      forgetCommand      `cmd:"" help:"Remove a car, and with --data its records too."`
	Version     versionCommand     `cmd:"" help:"Print the version."`
}

// command runs one command line and returns the exit code.
func command(ctx context.Context, to console, args []string) int {
	var c commands
	exit := -1
	parser, err := kong.New(&c,
		kong.Name("wheelhouse"),
		kong.Description("Wheelhouse brings the car into the house: Car Stats Viewer and Tesla to MQTT and Home Assistant."),
		kong.Writers(to.Stdout, to.Stderr),
		kong.Exit(func(code int) { exit = code }),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(to, &c),
		kong.UsageOnError(),
	)
	if err != nil {
		fmt.Fprintln(to.Stderr, "wheelhouse:", err)
		return exitFailed
	}
	line, err := parser.Parse(args)
	if exit >= 0 { // --help
		return exit
	}
	if err != nil {
		fmt.Fprintf(to.Stderr, "wheelhouse: %v\nSee wheelhouse --help.\n", err)
		return exitUsage
	}
	return report(to, line.Run())
}

// report says what went wrong and returns the exit code.
func report(to console, err error) int {
	var problems config.Problems
	switch {
	case err == nil:
		return 0
	case errors.As(err, &problems):
		fmt.Fprintf(to.Stderr, "The settings are wrong:\n%v\n", problems)
		return exitConfig
	}
	fmt.Fprintln(to.Stderr, "wheelhouse:", err)
	return exitFailed
}

// settings loads the configuration that a command was told to use.
func (c *commands) settings(to console) (*config.Config, error) {
	return config.Load(config.Sources{
		File:        config.FindFile(c.Config, to.Getenv),
		Options:     config.OptionsFile(to.Getenv),
		Credentials: to.Getenv("CREDENTIALS_DIRECTORY"),
		Environ:     to.Environ,
	})
}
