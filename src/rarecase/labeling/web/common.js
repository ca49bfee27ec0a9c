// What both pages share. Everything that comes from data goes into the page by textContent.
const $ = id => element.querySelector(`#${id}`);

const make = (tag, properties = {}, ...children) => {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
};

// Not crypto.randomUUID, which a page that comes by plain HTTP from another machine does not have.
const uuid = () => {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = bytes[6] % 16 + 0x40;  // version 4
  bytes[8] = bytes[8] % 64 + 0x80;
  const hex = Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join('');
  return hex.replace(/(.{8})(.{4})(.{4})(.{4})(.{12})/, '$1-$2-$3-$4-$5');
};

const tell = (text, refused = false) => {
  const told = $('told');
  told.classList.toggle('refused', refused);
  told.replaceChildren(make('span', {textContent: text}));  // a new element, so that the same words are said again
};

// How many answers could be lost with this machine, and why they have not gone elsewhere.
const safe = (count, trouble) => {
  $('unflushed').textContent = count;
  const said = trouble && `Answers wait here for the Hub, which is tried again and again: ${trouble}.`;
  if ($('trouble').textContent !== said) $('trouble').textContent = said;  // or a screen reader would say it again
};

// A double click counts once. What was clicked by the pointer loses the focus: Enter is not to press it again.
const onClick = (button, go) => button.addEventListener('click', event => {
  if (event.detail > 1) return tell('A double click counts once.', true);
  if (event.detail) button.blur();
  go();
});

const shownNumber = number => number === null ? '–' : number.toFixed(3);

const agree = found => {
  $('kappa').textContent = shownNumber(found.kappa);
  $('alpha').textContent = shownNumber(found.alpha);
};

// The name of a class, which may go on in a new line after each _.
const breakable = name => name.split('_').flatMap((part, place) => place ? ['_', make('wbr'), part] : [part]);

// The keys of the first classes: digits, and the letters that neither page has another use for.
const CLASS_KEYS = [...'123456789abdeghijklmnopqrtuvwyz'];

// A button for each class; of more than nine some are found by their names alone.
const classButtons = (names, about, pick) => {
  $('finding').hidden = names.length < 10;
  $('number').textContent = names.length;
  $('classes').replaceChildren(...names.map((name, place) => {
    const {definition, example} = Object.hasOwn(about, name) ? about[name] : {};  // a class may be called toString
    const key = CLASS_KEYS[place];
    const button = make('button', {type: 'button'},
      ...(key ? [make('kbd', {textContent: key.toUpperCase(), ariaHidden: 'true'})] : []),
      make('span', {className: 'name', id: `name-${place}`, dir: 'auto'}, ...breakable(name)),
      make('span', {className: 'meaning', id: `meaning-${place}`},
        ...(definition ? [make('span', {textContent: definition, dir: 'auto'})] : []),
        ...(example ? [make('q', {textContent: example, dir: 'auto'})] : [])));
    button.setAttribute('aria-labelledby', `name-${place}`);
    button.setAttribute('aria-describedby', `meaning-${place}`);
    button.dataset.place = place;
    if (key) {
      button.dataset.key = key;
      button.setAttribute('aria-keyshortcuts', key);
    }
    onClick(button, () => pick(name));
    return button;
  }));
  narrow();
};

const plain = text => text.normalize('NFKC').toLowerCase().replace(/[\s_-]+/g, ' ').trim();

// Shows the classes that have all words of the filter: first the one that is called so, then those that begin so.
const narrow = () => {
  const wanted = plain($('filter').value), words = wanted.split(' ');
  const rank = name => name === wanted ? 0 : name.startsWith(wanted) ? 1 : words.every(word => name.includes(word)) ? 2 : 3;
  const found = Array.from($('classes').children, button =>
    ({button, rank: wanted ? rank(plain(button.querySelector('.name').textContent)) : 0, place: Number(button.dataset.place)}));
  found.sort((one, other) => one.rank - other.rank || one.place - other.place);
  found.forEach(({button, rank}, place) => {
    button.hidden = rank === 3;
    button.classList.toggle('first', wanted !== '' && place === 0);
  });
  $('classes').append(...found.map(({button}) => button));
  $('unfound').hidden = !found.length || found[0].rank < 3;
};

// What is typed next is a key again, and no part of the filter. After each answer: it was for that text alone.
const unfilter = () => {
  $('filter').blur();
  if (!$('filter').value) return;  // a button that is put in its place again would lose the focus
  $('filter').value = '';
  narrow();
};

const find = () => {
  if ($('filter').offsetParent === null) return false;  // it is not in sight
  $('filter').focus();
  return true;
};

$('filter').addEventListener('input', narrow);
$('filter').addEventListener('keydown', event => {
  if (event.isComposing || !['Enter', 'Escape'].includes(event.key)) return;
  event.preventDefault();
  const first = $('classes').querySelector('.first:not([hidden])');
  if (event.key === 'Escape' || !$('filter').value.trim()) unfilter();
  else if (first) first.click();
  else tell('Not counted: no class has these words.', true);
});

// Keys, but for those of who types, of shortcuts, and of a key that is held down. `press` says whether it took the key.
const onKeys = press => document.addEventListener('keydown', event => {
  if (!element.isConnected || event.defaultPrevented || event.isComposing) return;
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest?.('textarea, select, input:not([type=checkbox]), [contenteditable]')) return;
  const digit = /^[1-9]$/.test(event.key) ? event.key : !event.shiftKey && event.code.match(/^Digit([1-9])$/)?.[1];
  const key = digit || (event.key.length === 1 ? event.key.toLowerCase() : event.key);
  const pressed = key === 'Enter' && event.target.closest?.('button, a, summary');
  if (event.repeat) {
    const chooses = digit || $('classes').querySelector(`[data-key="${CSS.escape(key)}"]`);
    if (chooses || key === 'Backspace' || pressed) event.preventDefault();
    if (chooses) tell('A key that is held down counts once.', true);
  } else if (!pressed && press(key)) {
    event.preventDefault();
  }
});

// The server's answer; undefined where none came. A request that hangs is given up: sent again, it counts once.
const ask = (call, data) => Promise.race([
  Promise.resolve(call(data)).catch(() => undefined),
  new Promise(done => setTimeout(done, 15000)),
]);

const isSignedOut = async () => {
  try {
    return (await fetch('.', {method: 'HEAD', cache: 'no-store'})).status === 401;
  } catch {
    return false;
  }
};
