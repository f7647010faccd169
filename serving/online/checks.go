package online

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// catalogPatience is how long after the start requests are kept away while the catalogue is read. After
// that it is served without, because Kafka may be away for long.
const catalogPatience = 10 * time.Second

// Checks tells how each dependency is doing, from what is known already; it asks nobody.
func (s *Service) Checks(context.Context) []Check {
	return []Check{s.checkGeneration(), s.checkCatalog(), s.checkLive()}
}

func (s *Service) checkGeneration() Check {
	g := s.generations.current.Load()
	c := Check{Name: "generation", OK: true, Detail: g.id()}
	switch failure := s.generations.lastErr.Load(); {
	case failure != nil:
		c.OK, c.Detail = false, fmt.Sprintf("serving %q: %s", g.id(), *failure)
	case g.files == nil:
		c.Detail = reasonNoGeneration
	}
	if !s.generations.looked.Load() {
		c.OK, c.Required = false, true
		if c.Detail == reasonNoGeneration {
			c.Detail = "the pointer to the current generation is not read yet"
		}
	}
	return c
}

func (s *Service) checkCatalog() Check {
	c := Check{Name: "catalog", OK: true}
	switch from := s.catalog.items.source(); {
	case from == fromKafka:
		c.Detail = fmt.Sprintf("%d items", s.catalog.items.len())
	case from == fromSnapshot && len(s.catalog.seeds) == 0:
		c.Detail = "the generation's snapshot"
	case from == fromSnapshot:
		c.OK, c.Detail = false, "the generation's snapshot, until Kafka is read"
	case len(s.catalog.seeds) == 0:
		c.OK, c.Detail = false, "no Kafka is configured and the generation has no snapshot of the catalogue"
	default:
		c.OK, c.Detail = false, reasonNoCatalog
		c.Required = s.now().Sub(s.started) < catalogPatience
	}
	return c
}

func (s *Service) checkLive() Check {
	c := Check{Name: "live", OK: true}
	switch t := s.trending.latest.Load(); {
	case s.live.client == nil:
		c.Detail = reasonNoRedis
	case s.live.breaker.open():
		c.OK, c.Detail = false, reasonUnreachable
	case t == nil:
		c.OK, c.Detail = false, "live state is not read yet"
	case t.reading.status != LiveExact:
		c.OK, c.Detail = false, strings.Join(t.reading.reasons, "; ")
	default:
		c.Detail = string(LiveExact)
	}
	return c
}
