// The adjudicator's page: one disagreement at a time, decided once the server has answered.
const EVERY = 5000;  // ms between two requests for the state

let me = null, dispute = null, busy = false, timer = 0, buttons = '';
let verdict = null, deciding = false;  // the last one, or an undo, until it is answered
let tabled = '';
let later = [];
const decided = [];  // the ids of what was decided here and can be undone, in order

const settle = async () => {
  if (busy) return;
  busy = true;
  clearTimeout(timer);
  const sent = deciding ? verdict : null, put = later;
  const reply = await ask(server.settle, {...sent, later: put, now: dispute ? [dispute.item] : []});
  busy = false;
  timer = setTimeout(settle, EVERY);
  if (!reply) return fail(sent);
  if (sent) {
    const {accepted, reason} = reply.told;
    const undone = 'undo' in sent;
    if (!undone && accepted) decided.push(sent.event);
    else if (accepted) decided.pop();
    else if (undone) decided.length = 0;  // the server knows of others: the next undo is of whatever was last there
    const said = undone ? 'Undone.' : `Reviewed: ${sent.label ?? 'left out'}.`;
    tell(accepted ? said : `Not counted: ${reason}.`, !accepted);
    verdict = null;
    deciding = false;
  }
  // What was put off and is shown again stays: what comes next is not to take its place under a finger.
  if (put.includes(reply.dispute?.item)) later = later.filter(item => item !== reply.dispute.item);
  show(reply);
  if ((deciding && !sent) || later.includes(dispute?.item)) settle();  // what was pressed meanwhile
};

const fail = async sent => {
  if (sent) deciding = false;  // a verdict that was not sent yet goes with the next request
  const said = await isSignedOut() ? 'You are signed out: reload this page to sign in again.' : 'The server does not answer.';
  // It may have been counted or pressed again meanwhile; whoever presses then would decide on the next text.
  if (sent && (verdict !== sent || (sent.item ?? dispute?.item) !== dispute?.item)) return;
  tell(sent ? `Not counted yet. ${said} Press again.` : said, true);
};

// The id stays that of the verdict until it is answered: pressed again, it counts once. It says whose it is, since
// another tab may sign somebody else in.
const decide = label => {
  unfilter();
  if (deciding) tell('Not counted: the last answer is still on its way.', true);
  else if (!dispute) tell('Not counted: there is nothing to review.', true);
  else {
    const {item} = dispute;
    if (verdict?.item !== item || verdict.label !== label || verdict.me !== me) verdict = {me, item, label, event: uuid()};
    deciding = true;
    settle();
  }
  return true;
};

const undo = () => {
  const of = decided.at(-1) ?? '';  // after a refresh whatever was last
  if (deciding) tell('Not counted: the last answer is still on its way.', true);
  else if (me === null) tell('Not counted: the page is not ready yet.', true);
  else {
    if (verdict?.undo !== of || verdict.me !== me) verdict = {me, undo: of, event: uuid()};
    deciding = true;
    settle();
  }
  return true;
};

const skip = () => {
  if (dispute) later = [...later, dispute.item];
  settle();
  return true;
};

const show = reply => {
  const post = $('post');
  if (reply.dispute?.item !== dispute?.item || !reply.dispute) {
    post.textContent = reply.dispute?.text ?? 'Nothing to review. What is left for you to decide shows up here by itself.';
    post.scrollTop = 0;
  }
  if (reply.me !== me) decided.length = 0;  // of somebody else
  ({me, dispute} = reply);
  if (dispute) post.dataset.item = dispute.item;
  else delete post.dataset.item;
  $('said').hidden = !dispute;
  $('votes').replaceChildren(...(dispute?.votes.length ? ['Their labels:'] : []), ...(dispute?.votes ?? []).map(name => make('span', {className: 'vote', textContent: name, dir: 'auto'})));
  $('flagged').hidden = !dispute?.flagged;
  $('comments').replaceChildren(...(dispute?.comments ?? []).map(text => make('li', {textContent: text, dir: 'auto'})));
  const wanted = JSON.stringify([dispute?.names ?? [], reply.about]);
  if (wanted !== buttons) classButtons(JSON.parse(buttons = wanted)[0], reply.about, decide);
  for (const id of ['leave-out', 'skip']) $(id).disabled = !dispute;
  $('me').textContent = me;
  $('progress').textContent = `${reply.left} to review`;
  safe(reply.unflushed, reply.trouble);
  $('shared').textContent = reply.agreement.items;
  agree(reply.agreement);
  table(reply.agreement);
};

const table = ({per_class: perClass, confusion}) => {
  const wanted = JSON.stringify([perClass, confusion]);
  if (wanted === tabled) return;  // of many classes it is long
  tabled = wanted;
  const names = Object.keys(confusion);
  for (const id of ['wide', 'explained']) $(id).hidden = !names.length;
  const head = name => make('th', {scope: 'col', dir: 'auto'}, ...breakable(name));
  $('confusion').replaceChildren(...(names.length ? [
    make('thead', {}, make('tr', {}, head('class'), head('agreement'), ...names.map(head))),
    make('tbody', {}, ...names.map(name => make('tr', {},
      make('th', {scope: 'row', dir: 'auto'}, ...breakable(name)),
      make('td', {textContent: perClass[name] === null ? '–' : perClass[name].toFixed(2)}),
      ...names.map(other => make('td', {
        textContent: Object.hasOwn(confusion[name], other) ? confusion[name][other] : '·',  // it may be called toString
        className: name === other ? 'same' : '',
      }))))),
  ] : []));
  fit();
};

const fit = () => { $('sideways').hidden = $('wide').scrollWidth <= $('wide').clientWidth; };
window.addEventListener('resize', fit);

const choose = key => {
  const place = CLASS_KEYS.indexOf(key), name = dispute?.names[place];
  if (place >= 9 && name === undefined) return false;  // a letter without a class
  if (dispute && name === undefined) { tell(`Not counted: there is no class ${key}.`, true); return true; }
  return decide(name);
};

const leaveOut = () => decide(null);
const KEYS = {Backspace: undo, x: leaveOut, s: skip, '/': find};
onKeys(key => CLASS_KEYS.includes(key) ? choose(key) : KEYS[key]?.());
for (const [id, go] of Object.entries({undo, 'leave-out': leaveOut, skip})) onClick($(id), go);
document.addEventListener('visibilitychange', () => { if (!document.hidden) settle(); });
settle();
