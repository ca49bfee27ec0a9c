// The labeling page. An answer is kept in the browser until the server has it, by ids and no text, and sent again where
// no reply came: its id makes a repeat one answer. The server says whose a text is; the page shows the first that is not
// answered yet.
// ms between two requests for the state, agreement included: with nothing to do, and with something
const SOON = 5000, IDLE = 15000;
const REST = 30 * 60000, PAUSE = 5 * 60000;  // ms of labeling until a break is suggested; what counts as one
const box = (() => { try { return window.localStorage; } catch { return {}; } })();  // none in some frames

let me = null, store = null, about = {}, queue = [], progress = {}, ofHub = 0, trouble = '';
let current = null, shownAt = 0, covered = false, buttons = '';
let sending = false, again = false, failures = 0, timer = 0, count = 0, agreedAt = 0;
const texts = new Map();  // by item: those of the queue
const unkept = [];        // acts that hold text or no item, and whose they are: in memory until the server has them
const acted = [];         // the ids of what was done here and can be undone, in order
let missed = false;       // whether the very last of it was refused

// Every store that is served at this address has the same place in the browser, and so has everybody who signs in.
const prefix = () => `rarecase:${store}:${me}:`;
const keys = () => me === null ? [] : Object.keys(box).filter(key => key.startsWith(prefix())).sort();
const read = keys => keys.flatMap(key => box[key] ? [JSON.parse(box[key])] : []);  // another tab may be done with one

const myUnkept = () => unkept.filter(({whose}) => whose === prefix());

const act = (kind, more = {}) => {
  const event = uuid();
  box[`${prefix()}${Date.now()}-${String(count++).padStart(6, '0')}-${event}`] = JSON.stringify({kind, event, ...more});
  if (kind !== 'undo') acted.push(event);
  missed = false;
  tire();
  show();
  send();
};

const actUnkept = (kind, more, whose = prefix()) => {
  unkept.push({whose, act: {kind, event: uuid(), ...more}});
  send();
};

const send = async () => {
  if (sending) { again = true; return; }
  sending = true; again = false;
  clearTimeout(timer);
  const stored = keys().slice(0, 20), extra = myUnkept().slice(0, 20);
  const sent = [...read(stored), ...extra.map(({act}) => act)];
  const reply = await ask(server.say, {me, store, acts: sent, have: [...texts.keys()]});
  sending = false;
  if (!reply) return fail();
  failures = 0;
  if (reply.me === me && reply.store === store) {
    stored.forEach(key => delete box[key]);
    extra.forEach(done => unkept.splice(unkept.indexOf(done), 1));
  } else {  // somebody else has signed in, or another store is served: nothing was done, and all stays for whose it is
    acted.length = 0;
    missed = false;
  }
  take(reply, sent);
  if (again || keys().length || myUnkept().length) send();
  else timer = setTimeout(send, Math.max(0, agreedAt + (queue.length ? IDLE : SOON) - Date.now()));
};

const fail = async () => {
  timer = setTimeout(send, Math.min(1000 * 2 ** failures++, 10000));
  stand();
  const signedOut = await isSignedOut();
  tell(signedOut ? 'You are signed out. ' : 'The server does not answer. Your answers are kept here and sent again.', true);
  if (signedOut) $('told').append(make('a', {href: '', textContent: 'Sign in again: nothing is lost.'}));
};

const take = (reply, sent) => {
  ({me, store, about, progress, unflushed: ofHub, trouble} = reply);
  const undone = sent.some(({kind}) => kind === 'undo');
  if (reply.agreement) {
    agreedAt = Date.now();
    agree(reply.agreement);
  }
  for (const row of reply.queue) if (row.text !== null) texts.set(row.item, row.text);
  queue = reply.queue.filter(({item}) => texts.has(item));
  const held = new Set(queue.map(({item}) => item));
  for (const item of texts.keys()) if (!held.has(item)) texts.delete(item);
  if (undone) current = null;  // what was undone comes first
  reply.told.forEach((answer, place) => say(answer, sent[place]));
  $('me').textContent = me;
  $('to-settle').hidden = !reply.settles;
  $('to-device').hidden = !reply.moves;
  meanings(reply.declined);
  show();
};

const say = (answer, {kind, label, event}) => {
  if (!answer.accepted) {
    const place = acted.indexOf(event);
    if (place >= 0) {
      missed = place === acted.length - 1;
      acted.splice(place, 1);
    }
    return tell(`Not counted: ${answer.reason}.`, true);
  }
  const model = answer.suggestion ? ` The suggestion was ${answer.suggestion}.` : '';
  const said = {vote: `You said ${label}.${model}`, skip: 'Moved to the end.', flag: 'Flagged for an adjudicator.',
    comment: 'Comment kept: a reviewer reads it if the text comes to review. Flag (F) sends it there.', undo: 'Undone.', decline: 'Saved.'};
  tell(said[kind]);
};

const show = () => {
  const waiting = read(keys()), answered = new Set(waiting.filter(({kind}) => kind !== 'undo').map(({item}) => item));
  const undoing = waiting.some(({kind}) => kind === 'undo');
  const open = undoing ? [] : queue.filter(({item}) => !answered.has(item));
  const next = open.find(({item}) => item === current?.item) ?? open[0] ?? null;
  if (!next || next.item !== current?.item) put(next);
  current = next;
  const over = !next && !undoing && !queue.length && me !== null;
  if (!next) write(over ? nothing() : '…');
  $('choosing').hidden = over;
  for (const id of ['skip', 'flag', 'comment']) $(id).disabled = over;
  const wanted = JSON.stringify([next?.names ?? JSON.parse(buttons || '[[]]')[0], about]);
  if (wanted !== buttons) classButtons(JSON.parse(buttons = wanted)[0], about, vote);
  stand();
};

const put = next => {
  const post = $('post');
  delete post.dataset.item;
  shownAt = performance.now();
  cover(Boolean(next) && $('blur').checked);
  if (!next) return;
  post.dataset.item = next.item;
  write(texts.get(next.item));
  post.scrollTop = 0;
};

const write = text => {  // only what is new, or a screen reader would say it again
  if ($('post').textContent !== text) $('post').textContent = text;
};

const cover = wanted => {
  covered = wanted;
  $('post').classList.toggle('covered', covered);
  $('post').ariaHidden = covered;
  $('look').hidden = !covered;
};

const nothing = () => ({
  unqualified: 'The qualification round is over, and too many of your answers were not the expected ones. The owner of this page can tell you more.',
  others: 'Nothing for you at the moment: the rest is with others or with an adjudicator. This page goes on by itself.',
  nothing: progress.total ? 'Everything is labelled. Thank you. This page goes on by itself when more comes.'
    : 'There is nothing to label at the moment. This page goes on by itself when texts come.',
})[progress.open_for] ?? '…';

const stand = () => {
  const here = keys().length + myUnkept().length;
  const {done = 0, left = 0, decided = 0, total = 0, qualifying = false} = progress;
  const mine = qualifying ? `${left} left for you in the qualification round, which comes first.`
    : `${done} labelled by you, ${left} left for you.`;
  $('progress').textContent = total ? `${mine} ${decided} of ${total} decided.` : mine;  // between two rounds there is no text
  $('bar').max = total || 1;
  $('bar').value = decided;
  safe(here + ofHub, trouble);
};

const meanings = declined => {
  describe(Object.keys(about));
  if (myUnkept().length) return;  // what was chosen just now
  for (const input of $('declined').querySelectorAll('input')) input.checked = declined.includes(input.value);
};

const describe = names => {
  if ($('meanings').dataset.names === JSON.stringify(about)) return;
  $('meanings').dataset.names = JSON.stringify(about);
  $('meanings').hidden = !names.some(name => about[name].definition || about[name].example);
  $('declining').hidden = !names.length;
  $('meanings').querySelector('dl').replaceChildren(...names.flatMap(name => [
    make('dt', {textContent: name, dir: 'auto'}),
    make('dd', {dir: 'auto'}, about[name].definition ?? '', ' ', ...(about[name].example ? [make('q', {textContent: about[name].example})] : [])),
  ]));
  $('declined').replaceChildren(...names.map(name => make('label', {},
    make('input', {type: 'checkbox', value: name, onchange: decline}),
    make('span', {textContent: name, dir: 'auto'}))));
};

const decline = () => {
  const classes = Array.from($('declined').querySelectorAll(':checked'), ({value}) => value);
  actUnkept('decline', {classes});
};

const refuse = why => { tell(why, true); return true; };

const withText = go => {
  if (!current) return refuse(`Not counted: there is no text here${$('choosing').hidden ? '' : ' yet'}.`);
  if (covered) return refuse('Not counted: look at the text first (Enter).');
  go(current.item);
  return true;
};

const vote = label => {
  unfilter();
  return withText(item => act('vote', {item, label, seconds: Math.round((performance.now() - shownAt) / 10) / 100}));
};

const choose = key => {
  const place = CLASS_KEYS.indexOf(key), label = current?.names[place];
  if (place >= 9 && label === undefined) return false;  // a letter without a class
  if (current && label === undefined) return refuse(`Not counted: there is no class ${key}.`);
  return vote(label);
};

const undo = () => {
  if (me === null) return refuse('Not counted: the page is not ready yet.');
  if (missed) {
    missed = false;
    return refuse('Your last answer was not counted: there is nothing to undo. Press again to undo the one before it.');
  }
  act('undo', {of: acted.pop()});  // what is meant by it; after a refresh whatever was last
  return true;
};
const skip = () => withText(item => act('skip', {item}));
const flag = () => withText(item => act('flag', {item}));
const look = () => { if (covered) { cover(false); return true; } };

let commentOn = null;  // the text that the comment is about, and whose comment it is
let commentFrom = null;  // what had the focus before
const comment = () => withText(item => {
  commentOn = {item, whose: prefix()};
  commentFrom = document.activeElement;
  $('commenting').hidden = false;
  $('comment').ariaExpanded = 'true';
  $('said').focus();
});

const uncomment = () => {
  $('said').blur();  // hidden, it would keep the focus until the next frame, and take the next key
  $('commenting').hidden = true;
  $('comment').ariaExpanded = 'false';
  commentFrom?.focus();  // not the button where a key opened it: Enter, which shows a blurred text, would press that
};

// Suggests a break after so long without one; what it goes by outlasts a refresh.
const tire = () => {
  const now = Date.now(), {rarecaseBegun, rarecaseLast} = box;
  if (now - (rarecaseLast ?? 0) > PAUSE) box.rarecaseBegun = now;
  box.rarecaseLast = now;
  if (now - box.rarecaseBegun >= REST) $('break').hidden = false;
};

const KEYS = {Backspace: undo, Enter: look, s: skip, f: flag, c: comment, '/': find};
onKeys(key => CLASS_KEYS.includes(key) ? choose(key) : KEYS[key]?.());

for (const [id, go] of Object.entries({undo, skip, flag, comment, look})) onClick($(id), go);
$('close').addEventListener('click', uncomment);
$('said').addEventListener('keydown', event => {
  if (event.key === 'Escape') uncomment();
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  $('commenting').requestSubmit();
});
$('commenting').addEventListener('submit', event => {
  event.preventDefault();
  const text = $('said').value.trim();
  $('said').value = '';
  uncomment();
  if (text) actUnkept('comment', {item: commentOn.item, text}, commentOn.whose);
});

$('warning').hidden = box.rarecaseWarned === 'yes';
$('warned').addEventListener('click', () => { box.rarecaseWarned = 'yes'; $('warning').hidden = true; });
$('on').addEventListener('click', () => { box.rarecaseBegun = Date.now(); $('break').hidden = true; });
$('blur').checked = box.rarecaseBlur === 'yes';
$('blur').addEventListener('change', () => {
  box.rarecaseBlur = $('blur').checked ? 'yes' : 'no';
  cover(Boolean(current) && $('blur').checked);
});

window.addEventListener('storage', ({key, newValue}) => {  // of another tab: what is answered there is answered here
  if (me === null || !key?.startsWith(prefix())) return;
  show();
  if (newValue === null) send();
});
window.addEventListener('online', send);
document.addEventListener('visibilitychange', () => { if (!document.hidden) send(); });
window.addEventListener('beforeunload', event => { if (unkept.length) event.preventDefault(); });
send();
