package env

import "syscall"

// OwnGroup puts a child into a process group of its own, so that a Ctrl-C in the terminal does not
// reach it before its tests have ended, and lets the kernel end it should this process be killed.
func OwnGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
