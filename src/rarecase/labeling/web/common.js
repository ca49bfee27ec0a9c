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

// A button for each class; the first nine are keys too.
const classButtons = (names, about, pick) => {
  $('classes').replaceChildren(...names.map((name, place) => {
    const {definition, example} = about[name] ?? {};
    const button = make('button', {type: 'button'},
      ...(place < 9 ? [make('kbd', {textContent: place + 1, ariaHidden: 'true'})] : []),
      make('span', {className: 'name', id: `name-${place}`, textContent: name, dir: 'auto'}),
      make('span', {className: 'meaning', id: `meaning-${place}`},
        ...(definition ? [make('span', {textContent: definition, dir: 'auto'})] : []),
        ...(example ? [make('q', {textContent: example, dir: 'auto'})] : [])));
    button.setAttribute('aria-labelledby', `name-${place}`);
    button.setAttribute('aria-describedby', `meaning-${place}`);
    if (place < 9) {
      button.dataset.key = place + 1;
      button.setAttribute('aria-keyshortcuts', place + 1);
    }
    onClick(button, () => pick(name));
    return button;
  }));
};

// Keys, but for those of who types, of shortcuts, and of a key that is held down. `press` says whether it took the key.
const onKeys = press => document.addEventListener('keydown', event => {
  if (!element.isConnected || event.defaultPrevented || event.isComposing) return;
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest?.('textarea, select, input:not([type=checkbox]), [contenteditable]')) return;
  const digit = /^[1-9]$/.test(event.key) ? event.key : !event.shiftKey && event.code.match(/^Digit([1-9])$/)?.[1];
  const pressed = event.key === 'Enter' && event.target.closest?.('button, a, summary');
  if (event.repeat) {
    if (digit || event.key === 'Backspace' || pressed) event.preventDefault();
    if (digit) tell('A key that is held down counts once.', true);
  } else if (!pressed && press(digit ? Number(digit) : event.key.length === 1 ? event.key.toLowerCase() : event.key)) {
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
