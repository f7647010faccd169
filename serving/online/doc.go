// Package online joins batch and live at the moment of a request.
package online
