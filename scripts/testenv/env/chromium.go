package env

import "context"

// FindChromium finds a Chromium or Chrome for the console's tests. Nothing is started: each test
// runs its own, headless.
func FindChromium(ctx context.Context, cfg Config) (*Server, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	path, err := cfg.command(ctx, "chromium", "chromium", "chromium-browser", "google-chrome")
	if err != nil {
		return nil, err
	}
	return &Server{Name: "chromium", Env: []string{ChromiumVar + "=" + path}}, nil
}
