// The yardstick that anyone can install: the same protocol family (DKLs23, secp256k1, 2-of-3) as a
// WebAssembly module, in one process, both signers. Not a dependency of qkms; see bench/README.md.
//
//   mkdir -p build/yardstick && npm install --prefix build/yardstick @silencelaboratories/dkls-wasm-ll-node
//   node bench/yardstick/dkls.cjs build/yardstick [runs]
'use strict';
const path = require('path');
const crypto = require('crypto');

const folder = path.resolve(process.argv[2] || 'build/yardstick');
const runs = Number(process.argv[3] || 15);
const dkls = require(require.resolve('@silencelaboratories/dkls-wasm-ll-node', { paths: [folder] }));

// What everybody else says to `party`: broadcasts and what is addressed to it.
const inbox = (messages, party) => messages
  .filter((m) => m.from_id !== party && (m.to_id === undefined || m.to_id === party))
  .map((m) => m.clone());

const round = (parties, messages, ids, extra) =>
  parties.flatMap((p, i) => p.handleMessages(inbox(messages, ids[i]), extra));

function keygen(n, t) {
  const ids = [...Array(n).keys()];
  const parties = ids.map((i) => new dkls.KeygenSession(n, t, i));
  let messages = parties.map((p) => p.createFirstMessage());
  messages = round(parties, messages, ids);
  const commitments = parties.map((p) => p.calculateChainCodeCommitment());
  messages = round(parties, messages, ids);
  messages = round(parties, messages, ids, commitments);
  round(parties, messages, ids);
  return parties.map((p) => p.keyshare());
}

function sign(shares, digest) {
  const ids = shares.map((s) => s.partyId);
  const parties = shares.map((s) => new dkls.SignSession(s, 'm'));
  let messages = parties.map((p) => p.createFirstMessage());
  for (let r = 0; r < 3; r++) messages = round(parties, messages, ids);
  messages = parties.map((p) => p.lastMessage(digest));
  return parties.map((p, i) => p.combine(inbox(messages, ids[i])));
}

function timed(what, runsWanted, body) {
  const ms = [];
  for (let i = 0; i <= runsWanted; i++) {
    const before = process.cpuUsage();
    body();
    const used = process.cpuUsage(before);
    if (i > 0) ms.push((used.user + used.system) / 1000); // the first run warms the compiler
  }
  ms.sort((a, b) => a - b);
  console.log(`${what.padEnd(34)} median ${ms[ms.length >> 1].toFixed(1)} ms CPU, min ${ms[0].toFixed(1)} ms, ${ms.length} runs`);
}

const spare = () => keygen(3, 2);
timed('DKG with setups, three parties', Math.min(runs, 5), spare);
const shares = spare().map((s) => s.toBytes());
timed('full signature, both signers', runs, () => {
  const two = shares.slice(0, 2).map((b) => dkls.Keyshare.fromBytes(b));
  sign(two, crypto.randomBytes(32));
});
