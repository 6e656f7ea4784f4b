// Symmetric keys through the AWS SDK for JavaScript v3: encryption, data keys, rotation, and their errors.
import assert from "node:assert/strict";
import { createPrivateKey, createPublicKey, randomBytes } from "node:crypto";
import * as K from "@aws-sdk/client-kms";
import { kms, ok, refused, send } from "./lib.mjs";

const EncryptionContext = { purpose: "test", tenant: "1 ✓" };
const day = 86_400_000;
const near = (date, ms) => date instanceof Date && Math.abs(date - Date.now() - ms) < day / 24;

const newKey = async (modes, more = {}) =>
  (await send("CreateKey", { ...more, ...(modes && { Tags: [{ TagKey: "qkms:modes", TagValue: modes }] }) })).KeyMetadata.Arn;
const open = async (CiphertextBlob, more = {}) => Buffer.from((await send("Decrypt", { CiphertextBlob, ...more })).Plaintext);

async function encryption(KeyId, other) {
  const Plaintext = randomBytes(4096);
  const { CiphertextBlob, ...made } = await send("Encrypt", { KeyId, Plaintext, EncryptionContext });
  assert.deepEqual([made.KeyId, made.EncryptionAlgorithm], [KeyId, "SYMMETRIC_DEFAULT"]);
  const back = await send("Decrypt", { CiphertextBlob, EncryptionContext });
  assert.deepEqual([back.KeyId, Buffer.from(back.Plaintext)], [KeyId, Plaintext]);
  assert.deepEqual(await open(CiphertextBlob, { KeyId, EncryptionContext }), Plaintext);
  ok("Encrypt, Decrypt with and without KeyId");
  await refused("another context", "InvalidCiphertextException", open(CiphertextBlob, { EncryptionContext: { purpose: "other" } }));
  await refused("no context", "InvalidCiphertextException", open(CiphertextBlob));
  await refused("another key", "IncorrectKeyException", open(CiphertextBlob, { KeyId: other, EncryptionContext }));
  const bent = Buffer.from(CiphertextBlob);
  bent[bent.length - 1] ^= 1;
  await refused("a bent blob", "InvalidCiphertextException", open(bent, { EncryptionContext }));
  const moved = await send("ReEncrypt", {
    CiphertextBlob, SourceEncryptionContext: EncryptionContext, DestinationKeyId: other, DestinationEncryptionContext: { a: "b" },
  });
  assert.deepEqual([moved.SourceKeyId, moved.KeyId], [KeyId, other]);
  assert.deepEqual(await open(moved.CiphertextBlob, { EncryptionContext: { a: "b" } }), Plaintext);
  ok("ReEncrypt");
  return CiphertextBlob;
}

async function dataKeys(KeyId) {
  for (const [wish, size] of [[{ KeySpec: "AES_256" }, 32], [{ KeySpec: "AES_128" }, 16], [{ NumberOfBytes: 1024 }, 1024]]) {
    const made = await send("GenerateDataKey", { KeyId, EncryptionContext, ...wish });
    assert.equal(made.Plaintext.length, size);
    assert.deepEqual(await open(made.CiphertextBlob, { EncryptionContext }), Buffer.from(made.Plaintext));
    const only = await send("GenerateDataKeyWithoutPlaintext", { KeyId, EncryptionContext, ...wish });
    assert.equal(only.Plaintext, undefined);
    assert.equal((await open(only.CiphertextBlob, { EncryptionContext })).length, size);
  }
  ok("GenerateDataKey, GenerateDataKeyWithoutPlaintext");
  await refused("a data key of no size", "ValidationException", send("GenerateDataKey", { KeyId }));
}

async function pairs(KeyId) {
  const kinds = { RSA_2048: "rsa", ECC_NIST_P256: "ec", ECC_SECG_P256K1: "ec", ECC_NIST_EDWARDS25519: "ed25519" };
  const spki = (der) => createPublicKey(createPrivateKey({ key: Buffer.from(der), format: "der", type: "pkcs8" })).export({ format: "der", type: "spki" });
  for (const [KeyPairSpec, kind] of Object.entries(kinds)) {
    const made = await send("GenerateDataKeyPair", { KeyId, KeyPairSpec, EncryptionContext });
    assert.equal(createPublicKey({ key: Buffer.from(made.PublicKey), format: "der", type: "spki" }).asymmetricKeyType, kind);
    assert.deepEqual(spki(made.PrivateKeyPlaintext), Buffer.from(made.PublicKey));
    assert.deepEqual(await open(made.PrivateKeyCiphertextBlob, { EncryptionContext }), Buffer.from(made.PrivateKeyPlaintext));
    const only = await send("GenerateDataKeyPairWithoutPlaintext", { KeyId, KeyPairSpec, EncryptionContext });
    assert.equal(only.PrivateKeyPlaintext, undefined);
    assert.deepEqual(spki(await open(only.PrivateKeyCiphertextBlob, { EncryptionContext })), Buffer.from(only.PublicKey));
  }
  ok("GenerateDataKeyPair, GenerateDataKeyPairWithoutPlaintext");
}

async function rotation(KeyId) {
  const CiphertextBlob = (await send("Encrypt", { KeyId, Plaintext: Buffer.from("old") })).CiphertextBlob;
  await send("EnableKeyRotation", { KeyId, RotationPeriodInDays: 90 });
  const on = await send("GetKeyRotationStatus", { KeyId });
  assert.deepEqual([on.KeyRotationEnabled, on.RotationPeriodInDays, near(on.NextRotationDate, 90 * day)], [true, 90, true]);
  await send("DisableKeyRotation", { KeyId });
  assert.equal((await send("GetKeyRotationStatus", { KeyId })).KeyRotationEnabled, false);
  ok("EnableKeyRotation, GetKeyRotationStatus, DisableKeyRotation");
  for (let i = 0; i < 3; i++) assert.equal((await send("RotateKeyOnDemand", { KeyId })).KeyId, KeyId);
  const seen = [];
  for await (const page of K.paginateListKeyRotations({ client: kms, pageSize: 2 }, { KeyId })) seen.push(...page.Rotations);
  assert.deepEqual(seen.map((r) => [r.RotationType, near(r.RotationDate, 0)]), Array(3).fill(["ON_DEMAND", true]));
  assert.deepEqual(await open(CiphertextBlob), Buffer.from("old"));
  ok("RotateKeyOnDemand, ListKeyRotations; what is older opens");
}

async function errors(KeyId, CiphertextBlob) {
  const calls = {
    Encrypt: { KeyId, Plaintext: Buffer.from("x") },
    Decrypt: { KeyId, CiphertextBlob, EncryptionContext },
    ReEncrypt: { CiphertextBlob, SourceEncryptionContext: EncryptionContext, DestinationKeyId: KeyId },
    GenerateDataKey: { KeyId, KeySpec: "AES_256" },
    GenerateDataKeyWithoutPlaintext: { KeyId, KeySpec: "AES_256" },
    GenerateDataKeyPair: { KeyId, KeyPairSpec: "ECC_NIST_P256" },
    GenerateDataKeyPairWithoutPlaintext: { KeyId, KeyPairSpec: "ECC_NIST_P256" },
  };
  const signing = (await send("CreateKey", { KeySpec: "ECC_NIST_P256", KeyUsage: "SIGN_VERIFY" })).KeyMetadata.Arn;
  for (const [name, input] of Object.entries(calls)) {
    const key = name === "ReEncrypt" ? "DestinationKeyId" : "KeyId";
    await refused(`${name} with DryRun`, "DryRunOperationException", send(name, { ...input, DryRun: true }));
    await refused(`${name} with a signing key`, "InvalidKeyUsageException", send(name, { ...input, [key]: signing }));
    await refused(`${name} with an unknown key`, "NotFoundException", send(name, { ...input, [key]: "12345678-1234-1234-1234-123456789012" }));
  }
  const Recipient = { KeyEncryptionAlgorithm: "RSAES_OAEP_SHA_256", AttestationDocument: randomBytes(64) };
  for (const [name, input] of Object.entries({ ...calls, GenerateRandom: { NumberOfBytes: 32 } }))
    if (["Decrypt", "GenerateDataKey", "GenerateDataKeyPair", "GenerateRandom"].includes(name))
      await refused(`${name} for a Recipient fails closed`, "ValidationException", send(name, { ...input, Recipient }));
  await refused("RotateKeyOnDemand of a signing key", "UnsupportedOperationException", send("RotateKeyOnDemand", { KeyId: signing }));
  await send("DisableKey", { KeyId });
  for (const [name, input] of Object.entries(calls)) await refused(`${name} with a disabled key`, "DisabledException", send(name, input));
}

const keys = await Promise.all([newKey(), newKey("V"), newKey("F")]);
const blobs = [];
for (let i = 0; i < 3; i++) blobs.push(await encryption(keys[i], keys[(i + 1) % 3]));
for (const key of keys) await dataKeys(key);
await pairs(keys[0]);
assert.equal((await send("GenerateRandom", { NumberOfBytes: 1024 })).Plaintext.length, 1024);
ok("GenerateRandom");
await rotation(keys[0]);
await errors(keys[0], blobs[0]);
