// The console's script. It asks the API of its own host and draws the answers. Whatever comes from
// there is put on the page as text, never as markup.

const LENGTH = 10; // items in each list
const PULSE_EVERY = 1000; // milliseconds
const LISTS_EVERY = 2000;
const SAMPLES = 120; // points of the sparkline
const MODES = ['batch', 'live', 'merged'];
const DONE = { view: 'Viewed', cart: 'Put into the cart', purchase: 'Bought' };

const $ = (id) => document.getElementById(id);

const page = {
  user: '', // the user whose lists are shown
  round: 0, // rises with every load, so that a late answer never overwrites a newer one
  lists: {}, // mode → items as shown
  users: [], // ids to choose from at random
  population: 1000, // users of the generation
  rates: [], // events per second, one a pulse
  freshs: [], // freshness in seconds, one a pulse that knows it
  generation: null, // id in the last pulse
  sending: 0, // presses that are being followed
};

// ---- asking ----

async function ask(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, { signal: AbortSignal.timeout(5000), ...options });
  } catch {
    throw new Error('The server does not answer.');
  }
  const body = await answer.json().catch(() => null);
  if (!answer.ok) throw new Error(body?.detail || body?.title || `The server answers ${answer.status}.`);
  return body ?? {};
}

const userPath = (user) => `/v1/users/${encodeURIComponent(user)}`;

const listPath = (user, mode) =>
  `${userPath(user)}/recommendations?n=${LENGTH}&mode=${mode}&exclude_seen=${$('seen').checked}`;

// ---- writing ----

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const money = new Intl.NumberFormat('en', { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const short = new Intl.NumberFormat('en', { maximumSignificantDigits: 3 });
const exact = new Intl.NumberFormat('en', { minimumSignificantDigits: 3, maximumSignificantDigits: 3 });

const number = (v) => (Number.isInteger(v) || Math.abs(v) >= 1000 ? whole : short).format(v);
const some = (v) => v !== null && v !== undefined && v !== '';

function duration(seconds) {
  if (seconds < 1) return `${whole.format(seconds * 1000)} ms`;
  if (seconds < 120) return `${short.format(seconds)} s`;
  if (seconds < 7200) return `${whole.format(seconds / 60)} min`;
  return seconds < 172800 ? `${whole.format(seconds / 3600)} h` : `${whole.format(seconds / 86400)} days`;
}

// instant writes a time as the server gives it, without the parts that are always zero.
const instant = (text) => String(text).replace('T', ' ').replace(/(\.\d{3})\d*/, '$1').replace(/(:00)?(\.000)?Z$/, ' UTC');

function element(tag, text, name) {
  const e = document.createElement(tag);
  if (some(text)) e.textContent = text;
  if (name) e.className = name;
  return e;
}

// brief writes any value of the API in few words.
function brief(v) {
  if (!some(v)) return '–';
  if (typeof v === 'number') return number(v);
  if (Array.isArray(v)) return v.map(brief).join(', ');
  if (typeof v === 'object') return JSON.stringify(v);
  return /^\d{4}-\d\d-\d\dT[\d:.]+Z$/.test(v) ? instant(v) : String(v);
}

// shown draws the value of a feature: groups as bars, interactions and other lists by their first entries.
function shown(v) {
  if (!Array.isArray(v) || !v.length) return Array.isArray(v) ? '–' : brief(v);
  if (v.every((x) => typeof x?.value === 'number' && 'key' in x)) return bars(v);
  const list = element('ol', '', 'plain');
  for (const x of v.slice(0, 5)) list.append(x?.item_id && x.time ? interaction(x) : element('li', brief(x)));
  if (v.length > 5) list.append(element('li', `and ${whole.format(v.length - 5)} more`, 'small'));
  return list;
}

function bars(groups) {
  const most = Math.max(...groups.map((g) => g.value), Number.MIN_VALUE);
  const list = element('ul', '', 'bars');
  for (const { key, value } of groups.slice(0, 6)) {
    const bar = element('span', '', 'bar');
    bar.style.width = `${Math.max(0, (100 * value) / most)}%`;
    const row = element('li');
    row.append(element('span', key || 'no category'), element('span', exact.format(value)), bar);
    list.append(row);
  }
  return list;
}

function interaction(x) {
  const row = element('li');
  row.append(element('span', `${x.type} ${x.item_id}`), element('span', `${duration(Math.max(0, (Date.now() - x.time) / 1000))} ago`, 'small'));
  return row;
}

// pairs fills a dl with names and values, each value a text or a node.
function pairs(dl, entries) {
  dl.replaceChildren(...entries.map(([name, value]) => {
    const row = element('div');
    const dd = element('dd');
    dd.append(value);
    if (typeof value === 'object') row.className = 'tall';
    row.append(element('dt', name), dd);
    return row;
  }));
}

function tell(text, wrong = false) {
  $('notice').textContent = text;
  $('notice').classList.toggle('wrong', wrong);
  $('notice').hidden = !text;
}

function setState(text, kind) {
  if ($('state').textContent !== text) $('state').textContent = text;
  $('state').dataset.kind = kind;
}

// ---- the pulse ----

async function pulse() {
  try {
    if (!document.hidden) drawPulse(await ask('/v1/pulse'));
  } catch (error) {
    setState(error.message, 'bad');
  }
  setTimeout(pulse, PULSE_EVERY);
}

function drawPulse(p) {
  const { rate, fresh, partitions, generation, users, counters } = readPulse(p);
  page.users = users;
  page.population = generation?.counts?.users || page.population;
  $('rate').textContent = some(rate) ? number(Math.round(rate * 10) / 10) : '–';
  page.rates = [...page.rates, rate ?? 0].slice(-SAMPLES);
  drawSpark('spark', page.rates, 1);
  $('rate-note').textContent = `${page.rates.length < SAMPLES ? 'since you opened this page' : 'the last two minutes'}, at most ${number(Math.round(Math.max(...page.rates)))}`;
  drawFresh(fresh);
  drawLag(partitions);
  drawGeneration(generation);
  drawValues($('counters'), counters);
  $('counters-box').hidden = Object.keys(counters).length === 0;
  setState(generation ? 'running' : 'running, no generation yet', generation ? 'good' : 'fair');
}

// readPulse is the only place that knows how /v1/pulse spells things.
function readPulse(p) {
  return {
    rate: p.events_per_second,
    fresh: p.freshness_seconds,
    partitions: p.partitions ?? [], // [{partition, state, lag, reason}]
    generation: p.generation?.id ? p.generation : null, // {id, cut, label, metrics, counts}
    users: p.users ?? [], // some ids that exist; optional
    counters: p.counters ?? {},
  };
}

function drawFresh(fresh) {
  $('fresh').textContent = some(fresh) ? duration(fresh) : '–';
  if (!some(fresh)) return;
  page.freshs = [...page.freshs, fresh].slice(-SAMPLES);
  drawSpark('fresh-spark', page.freshs, 0.01);
  $('fresh-note').textContent = `, at most ${duration(Math.max(...page.freshs))}`;
}

// drawSpark draws values, the latest at the right; the top of the picture is the largest one, or least.
function drawSpark(id, values, least) {
  const most = Math.max(...values, least);
  const width = Math.max(values.length - 1, 29); // half a minute fills the line, then it grows denser
  const x = (i) => (120 * (width - values.length + 1 + i)) / width;
  const line = `M${values.map((v, i) => `${x(i).toFixed(2)},${(30 - (28 * v) / most).toFixed(2)}`).join('L')}`;
  const [area, stroke] = $(id).children;
  stroke.setAttribute('d', line);
  area.setAttribute('d', `${line}L120,32L${x(0).toFixed(2)},32Z`);
}

function drawLag(partitions) {
  const running = (p) => (p.state || 'running') === 'running';
  $('lag').textContent = partitions.length ? whole.format(partitions.reduce((sum, p) => sum + p.lag, 0)) : '–';
  $('lags').replaceChildren(...partitions.map((p) => {
    const row = element('li', '', running(p) ? p.lag > 0 && 'behind' : 'halted');
    row.append(element('span', `p${p.partition}`), element('b', whole.format(p.lag)));
    if (!running(p)) row.append(element('span', p.state));
    row.title = p.reason ?? '';
    return row;
  }));
}

// METRICS are the metrics of a generation in the order of the page, as /v1/pulse spells them without
// the length of the list that they were measured on, and in words.
const METRICS = [
  ['hr', 'HR'], ['popularity_hr', 'popularity HR'], ['recall', 'Recall'], ['ndcg', 'NDCG'], ['mrr', 'MRR'],
  ['coverage', 'coverage'], ['cases', 'held-out users'],
];

function metricsInWords(metrics) {
  const rank = (name) => { const i = METRICS.findIndex(([key]) => key === name); return i < 0 ? METRICS.length : i; };
  return Object.entries(metrics)
    .map(([key, v]) => {
      const [, name, k] = /^(.*?)(\d*)$/.exec(key);
      return { at: rank(name), words: METRICS[rank(name)]?.[1] ?? name.replaceAll('_', ' '), k, v, counts: name === 'cases' };
    })
    .sort((a, b) => a.at - b.at)
    .map(({ words, k, v, counts }) => [k ? `${words}@${k}` : words, counts ? whole.format(v) : v.toFixed(3)]);
}

function drawGeneration(g) {
  $('generation').textContent = g ? g.id : '–';
  $('label').textContent = g ? `cut ${g.cut}, up to ${instant(g.label)}` : 'none yet: the nightly job makes the first one';
  pairs($('metrics'), metricsInWords(g?.metrics ?? {}));
  const changed = page.generation !== null && page.generation !== (g?.id ?? '');
  page.generation = g?.id ?? '';
  if (changed) {
    $('generation').classList.remove('changed');
    requestAnimationFrame(() => $('generation').classList.add('changed'));
    if (page.user) load();
  }
}

// ---- one user ----

async function show(user) {
  page.user = user;
  $('user').value = user;
  history.replaceState(null, '', `?user=${encodeURIComponent(user)}`);
  tell('');
  const answer = await load();
  if (answer?.vector === 'none') tell(`Nothing is known of ${user} yet, so the lists show what many like.`);
}

// load asks for the user's lists and features and draws them. It returns the merged answer, if it is still wanted.
async function load() {
  const round = ++page.round;
  const user = page.user;
  const [features, ...lists] = await Promise.allSettled([
    ask(`${userPath(user)}/features`),
    ...MODES.map((mode) => ask(listPath(user, mode))),
  ]);
  if (round !== page.round) return null;
  const failed = [...lists, features].find((x) => x.status === 'rejected');
  if (failed) tell(failed.reason.message, true);
  else if ($('notice').classList.contains('wrong')) tell('');
  MODES.forEach((mode, i) => { page.lists[mode] = lists[i].value?.items ?? page.lists[mode] ?? []; });
  MODES.forEach(drawList);
  if (lists[2].value) drawReceipt(lists[2].value);
  if (features.value) drawFeatures(features.value);
  $('columns').hidden = $('below').hidden = false;
  $('columns').dataset.user = user; // whose lists these are, for those who watch the page
  return lists[2].value;
}

function drawList(mode) {
  const list = $(mode);
  $(`${mode}-json`).href = listPath(page.user, mode);
  const held = document.activeElement?.closest(`#${mode} li`);
  const at = held ? [...list.children].indexOf(held) : -1;
  const button = document.activeElement?.dataset.type;
  const rows = new Map([...list.children].map((li) => [li.dataset.item, li]));
  list.replaceChildren(...page.lists[mode].map((item, i) => drawItem(rows.get(item.item_id) ?? newRow(item), item, i, mode)));
  if (!page.lists[mode].length) list.append(element('li', 'Nothing to recommend: the catalogue is empty.', 'empty'));
  if (at >= 0) { // keep the keyboard where it was, or in the same place when its item went
    const row = held.isConnected ? held : list.children[Math.min(at, list.children.length - 1)];
    row?.querySelector(`[data-type="${button}"]`)?.focus({ preventScroll: true });
  }
}

function newRow(item) {
  const li = $('item').content.firstElementChild.cloneNode(true);
  li.dataset.item = item.item_id;
  return li;
}

function drawItem(li, item, i, mode) {
  const { title, category, price } = item.attributes ?? {};
  const name = some(title) ? title : item.item_id;
  li.querySelector('.rank').textContent = i + 1;
  li.querySelector('.title').textContent = name;
  li.querySelector('.title').title = `${name} (${item.item_id})`;
  const facts = [category, some(price) ? money.format(price) : '', `${item.source} ${exact.format(item.score)}`];
  li.querySelector('.facts').textContent = facts.filter(some).join(' · ');
  li.querySelector('.acts').ariaLabel = `Send an event for ${name}`;
  drawChip(li.querySelector('.chip'), item, i, mode);
  return li;
}

// drawChip says how an item of the merged list stands to the batch list, and which ones of the
// batch list the merged one dropped.
function drawChip(chip, item, i, mode) {
  const place = (list) => (page.lists[list] ?? []).findIndex((x) => x.item_id === item.item_id);
  let [kind, text, says] = ['', '', ''];
  if (mode === 'merged') {
    const up = place('batch') - i;
    if (place('batch') < 0) [kind, text, says] = ['new', 'new', `not among batch's first ${LENGTH}`];
    else if (up > 0) [kind, text, says] = ['up', `▲${up}`, `${up} up from batch`];
    else if (up < 0) [kind, text, says] = ['down', `▼${-up}`, `${-up} down from batch`];
  } else if (mode === 'batch' && place('merged') < 0) {
    [kind, text, says] = ['gone', 'left', `not among merged's first ${LENGTH}`];
  }
  chip.className = `chip ${kind}`;
  chip.textContent = text;
  chip.title = says;
}

function drawReceipt({ receipt, vector }) {
  const { live, degraded, generation, live_offsets: offsets, ...rest } = receipt;
  const badge = element('span', degraded && live !== 'degraded' ? `${live}, degraded` : live, `badge ${degraded ? 'fair' : 'good'}`);
  const at = Object.entries(offsets ?? {}).map(([p, offset]) => `p${p} at ${whole.format(offset)}`).join(', ');
  drawValues($('receipt'), { generation: generation || 'none', live: badge, ...rest, live_offsets: at, user_vector: vector });
}

// drawValues lists what has a value, by its name in words.
function drawValues(dl, values) {
  pairs(dl, Object.entries(values)
    .filter(([name, v]) => some(v) && name !== 'degraded')
    .map(([name, v]) => [name.replaceAll('_', ' '), v instanceof Node ? v : brief(v)]));
}

function drawFeatures({ features, attributes }) {
  const entries = Object.entries(features ?? {}).map(([name, v]) => [name, shown(v)]);
  entries.sort((a, b) => (typeof a[1] === 'object') - (typeof b[1] === 'object')); // the tall ones last
  pairs($('features'), entries);
  drawValues($('profile'), attributes ?? {});
  $('profile-card').hidden = !attributes || !Object.keys(attributes).length;
}

// ---- events ----

// randomId works on plain http too, where crypto.randomUUID does not exist.
const randomId = () => `console-${[...crypto.getRandomValues(new Uint8Array(16))].map((b) => b.toString(16).padStart(2, '0')).join('')}`;

async function press(button) {
  const li = button.closest('li');
  const { item } = li.dataset;
  const { type } = button.dataset;
  const name = li.querySelector('.title').textContent;
  const user = page.user;
  const listed = page.lists.merged.some((x) => x.item_id === item);
  const began = performance.now();
  page.sending++;
  button.classList.add('busy');
  try {
    await sendEvent({ event_id: randomId(), user_id: user, item_id: item, type });
    const gone = listed && $('seen').checked ? await untilGone(user, item, began) : null;
    tell(`${DONE[type]}: ${name}. ${gone === null ? 'The event was taken in.' : `The merged answer knew it ${whole.format(gone)} ms after the press.`}`);
  } catch (error) {
    tell(`${name}: ${error.message}`, true);
  } finally {
    page.sending--;
    button.classList.remove('busy');
  }
  if (user === page.user) await load();
}

// sendEvent leaves the event time to the server, whose clock is right where a visitor's may not be.
const sendEvent = (event) => ask('/v1/events', {
  method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(event),
});

// untilGone asks until the merged list no longer holds the item and returns the milliseconds since began.
async function untilGone(user, item, began) {
  while (performance.now() - began < 5000) {
    const { items } = await ask(listPath(user, 'merged'));
    if (!items.some((x) => x.item_id === item)) return performance.now() - began;
    await new Promise((wake) => setTimeout(wake, 25));
  }
  throw new Error('The event was taken in, but after 5 s the merged answer still holds the item: see the lag.');
}

// ---- wiring ----

$('ask').addEventListener('submit', (e) => {
  e.preventDefault();
  show($('user').value);
});
$('random').addEventListener('click', () => {
  const any = (n) => Math.floor(Math.random() * n);
  // Where the server names no users: an id like the one shown, or like those of the built-in shop.
  const alike = (/\d/.test(page.user) ? page.user : 'u1').replace(/\d+/, 1 + any(page.population));
  show(page.users[any(page.users.length)] ?? alike);
});
$('seen').addEventListener('change', () => page.user && load());
$('columns').addEventListener('click', (e) => {
  const button = e.target.closest('button[data-type]');
  if (button && !button.classList.contains('busy')) press(button);
});
setInterval(() => {
  // Not under the visitor's pointer or keyboard: the lists must not move just before a press.
  const quiet = !document.hidden && !page.sending && !$('columns').matches(':hover, :has(:focus-visible)');
  if (page.user && quiet) load();
}, LISTS_EVERY);

pulse();
const asked = new URLSearchParams(location.search).get('user');
if (asked) show(asked);
