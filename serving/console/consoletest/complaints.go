package consoletest

import (
	"net/url"
	"slices"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// listen collects complaints from now on.
func (v *Visit) listen() error {
	return chromedp.Listen(v.ctx, func(ev any) {
		switch e := ev.(type) {
		case *runtime.EventExceptionThrown:
			v.complain("script: " + thrown(e.ExceptionDetails))
		case *log.EventEntryAdded:
			if e.Entry.Level == log.EntryLevelError {
				v.complain(string(e.Entry.Source) + ": " + e.Entry.Text + " " + e.Entry.URL)
			}
		case *network.EventRequestWillBeSent:
			if u, err := url.Parse(e.Request.URL); err != nil || u.Host != v.base.Host {
				v.complain("request to another host: " + e.Request.URL)
			}
		}
	})
}

func thrown(d *runtime.ExceptionDetails) string {
	if d.Exception != nil && d.Exception.Description != "" {
		return d.Exception.Description
	}
	return d.Text
}

func (v *Visit) complain(text string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.complaints = append(v.complaints, text)
}

// Complaints returns everything that went wrong in the page so far: exceptions of the script,
// resources that could not be had, violations of the content security policy, requests to other hosts.
func (v *Visit) Complaints() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.Clone(v.complaints)
}
