// Package consoletest drives the console as a visitor does, in a headless Chromium.
//
//	visit, err := consoletest.Open(ctx, consoletest.Config{Chromium: path, Dir: t.TempDir(), URL: url})
//	defer visit.Close()
//	item, err := visit.ViewFirst("u42") // choose the user, view an item, wait until merged dropped it
//	png, err := visit.Screenshot()
//
// Every wait ends with the context. [Visit.Complaints] tells what a visitor with open developer tools
// would see in red: script errors, refused resources and violations of the content security policy.
package consoletest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// Config says what to open. Chromium, Dir and URL are required.
type Config struct {
	Chromium      string // path of the executable
	Dir           string // an existing folder for the browser's profile
	URL           string // of the server, without a path
	Width, Height int    // of the window in CSS pixels; 1280 × 900 when zero
	Dark          bool   // the visitor prefers dark colours
}

// Visit is one visitor's window. Its methods are not safe for concurrent use.
type Visit struct {
	ctx    context.Context
	cancel []context.CancelFunc
	base   *url.URL
	once   sync.Once // closes
	closed error

	mu         sync.Mutex
	complaints []string
}

// Open starts a browser of its own and opens the console. The browser ends with Close or with ctx.
func Open(ctx context.Context, cfg Config) (*Visit, error) {
	base, err := url.Parse(cfg.URL)
	if err != nil || base.Host == "" {
		return nil, fmt.Errorf("open console: URL %q is not that of a server", cfg.URL)
	}
	if _, err := os.Stat(cfg.Chromium); err != nil {
		return nil, fmt.Errorf("open console: no browser: %w", err)
	}
	if cfg.Width == 0 || cfg.Height == 0 {
		cfg.Width, cfg.Height = 1280, 900
	}
	v := &Visit{base: base}
	ctx, stop := chromedp.NewExecAllocator(ctx, flags(cfg)...)
	v.ctx, v.cancel = ctx, []context.CancelFunc{stop}
	v.ctx, stop = chromedp.NewContext(ctx, chromedp.WithErrorf(func(string, ...any) {})) // it reports events newer than itself
	v.cancel = append(v.cancel, stop)
	if err := v.arrive(cfg); err != nil {
		return nil, errors.Join(fmt.Errorf("open console at %s: %w", base, err), v.Close())
	}
	return v, nil
}

// flags keep the browser away from the network, the display and the user's own profile.
func flags(cfg Config) []chromedp.ExecAllocatorOption {
	list := slices.Clone(chromedp.DefaultExecAllocatorOptions[:])
	list = append(list, chromedp.ExecPath(cfg.Chromium), chromedp.DisableGPU,
		chromedp.UserDataDir(filepath.Join(cfg.Dir, "chromium")), chromedp.WindowSize(cfg.Width, cfg.Height),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("hide-scrollbars", true))
	if os.Geteuid() == 0 { // Chromium's sandbox refuses to run as root
		list = append(list, chromedp.NoSandbox)
	}
	return list
}

// arrive sets the window up, listens, and loads the page.
func (v *Visit) arrive(cfg Config) error {
	scheme := "light"
	if cfg.Dark {
		scheme = "dark"
	}
	prefer := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}
	if err := chromedp.Do(v.ctx, chromedp.EmulateViewport(int64(cfg.Width), int64(cfg.Height))); err != nil {
		return err
	}
	if _, err := chromedp.Call(v.ctx, emulation.SetEmulatedMedia, prefer); err != nil {
		return err
	}
	if err := v.listen(); err != nil {
		return err
	}
	return chromedp.Do(v.ctx, chromedp.Navigate(v.base.JoinPath("/").String()), chromedp.WaitVisible("#user"))
}

// Close ends the browser and waits until it is gone. It may be called more than once.
func (v *Visit) Close() error {
	v.once.Do(func() {
		err := chromedp.Cancel(v.ctx) // asks the browser to end
		expired := v.ctx.Err() != nil
		for _, cancel := range slices.Backward(v.cancel) {
			cancel() // ends it
		}
		if c := chromedp.FromContext(v.ctx); c != nil && c.Allocator != nil {
			c.Allocator.Wait()
		}
		if err != nil && !expired {
			v.closed = fmt.Errorf("close the browser: %w", err)
		}
	})
	return v.closed
}

// ChooseUser types a user into the form, submits it and waits for the lists of that user.
func (v *Visit) ChooseUser(user string) error {
	_, err := chromedp.Run(v.ctx, chromedp.Evaluate[bool](`document.querySelector('#user').select() ?? true`))
	if err == nil {
		err = chromedp.Do(v.ctx, chromedp.SendKeys("#user", user+"\r"))
	}
	if err == nil {
		err = v.wait(`document.querySelector('#columns:not([hidden])')?.dataset.user === ` + quote(user))
	}
	if err != nil {
		return fmt.Errorf("choose user %q: %w%s", user, err, v.noticed())
	}
	return nil
}

// ViewFirst does what the console is for: it chooses a user, presses "view" below the first item of
// the merged list and waits until the list no longer holds that item, which it returns.
func (v *Visit) ViewFirst(user string) (item string, err error) {
	if err := v.ChooseUser(user); err != nil {
		return "", err
	}
	items, err := v.Items("merged")
	if err != nil {
		return "", err
	}
	if len(items) == 0 {
		return "", fmt.Errorf("the merged list of %q is empty%s", user, v.noticed())
	}
	if err := v.Press("merged", items[0], "view"); err != nil {
		return "", err
	}
	return items[0], v.WaitGone("merged", items[0])
}

// RandomUser presses the random-user button, waits for the lists and returns whose they are.
func (v *Visit) RandomUser() (string, error) {
	err := chromedp.Do(v.ctx, chromedp.Click("#random"))
	if err == nil {
		err = v.wait(`(() => { const d = document.querySelector('#columns').dataset.user; return d && d === document.querySelector('#user').value })()`)
	}
	if err != nil {
		return "", fmt.Errorf("choose a random user: %w%s", err, v.noticed())
	}
	return chromedp.Run(v.ctx, chromedp.Value("#user"))
}

// Items returns the ids of the items of a list ("batch", "live" or "merged") from the top.
func (v *Visit) Items(list string) ([]string, error) {
	ids, err := chromedp.Run(v.ctx, chromedp.Evaluate[[]string](
		`[...document.querySelectorAll(`+quote("#"+list+" li[data-item]")+`)].map((li) => li.dataset.item)`))
	if err != nil {
		return nil, fmt.Errorf("read list %s: %w", list, err)
	}
	return ids, nil
}

// Press presses the button below an item of a list that sends an event of the given type.
func (v *Visit) Press(list, item, eventType string) error {
	button := row(list, item) + ` [data-type="` + eventType + `"]`
	if err := chromedp.Do(v.ctx, chromedp.Click(button)); err != nil {
		return fmt.Errorf("press %s of %q in list %s: %w", eventType, item, list, err)
	}
	return nil
}

// Focus moves the keyboard's focus to a button, as pressing Tab often enough would.
func (v *Visit) Focus(list, item, eventType string) error {
	button := row(list, item) + ` [data-type="` + eventType + `"]`
	if err := chromedp.Do(v.ctx, chromedp.Focus(button)); err != nil {
		return fmt.Errorf("focus %s of %q in list %s: %w", eventType, item, list, err)
	}
	return nil
}

// Type types keys into whatever has the focus.
func (v *Visit) Type(keys string) error {
	if err := chromedp.Do(v.ctx, chromedp.KeyEvent(keys)); err != nil {
		return fmt.Errorf("type %q: %w", keys, err)
	}
	return nil
}

// WaitGone waits until a list no longer holds an item.
func (v *Visit) WaitGone(list, item string) error {
	if err := v.wait(`!document.querySelector(` + quote(row(list, item)) + `)`); err != nil {
		return fmt.Errorf("wait until %q has left list %s: %w%s", item, list, err, v.noticed())
	}
	return nil
}

// WaitPulse waits until the page has shown n pulses, about one a second.
func (v *Visit) WaitPulse(n int) error {
	script := fmt.Sprintf(`(document.querySelector('#spark .line').getAttribute('d') ?? '').split('L').length >= %d && document.querySelector('#rate').textContent !== '–'`, n)
	if err := v.wait(script); err != nil {
		return fmt.Errorf("wait for %d pulses: %w", n, err)
	}
	return nil
}

// Text returns the text of the first element that a CSS selector finds.
func (v *Visit) Text(selector string) (string, error) {
	text, err := chromedp.Run(v.ctx, chromedp.TextContent(selector))
	if err != nil {
		return "", fmt.Errorf("read %s: %w", selector, err)
	}
	return text, nil
}

// Overflow returns by how many CSS pixels the page is wider than its window; 0 is right.
func (v *Visit) Overflow() (int, error) {
	px, err := chromedp.Run(v.ctx, chromedp.Evaluate[int](`document.documentElement.scrollWidth - document.documentElement.clientWidth`))
	if err != nil {
		return 0, fmt.Errorf("measure the page: %w", err)
	}
	return px, nil
}

// Screenshot returns the whole page as PNG.
func (v *Visit) Screenshot() ([]byte, error) {
	png, err := chromedp.Run(v.ctx, chromedp.FullScreenshot(100))
	if err != nil {
		return nil, fmt.Errorf("take a screenshot: %w", err)
	}
	return png, nil
}

func (v *Visit) wait(condition string) error {
	_, err := chromedp.Run(v.ctx, chromedp.Poll[bool](condition, chromedp.WithPollingTimeout(0))) // until the context ends
	return err
}

// noticed returns what the page tells its visitor, as the end of an error message.
func (v *Visit) noticed() string {
	text, err := chromedp.Run(v.ctx, chromedp.Evaluate[string](`document.querySelector('#notice')?.textContent ?? ''`))
	if err != nil || text == "" {
		return ""
	}
	return "; the page says: " + text
}

func row(list, item string) string { return `#` + list + ` li[data-item=` + quote(item) + `]` }

// quote writes a text as a literal of JavaScript, which for ids is one of CSS too.
func quote(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		return `""` // a string always encodes
	}
	return string(b)
}
