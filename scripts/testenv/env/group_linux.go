package env

import "syscall"

// ownGroup puts a child into a process group of its own, so that a Ctrl-C in the terminal does not
// reach it before its tests have ended, and lets the kernel end it should this process be killed.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
