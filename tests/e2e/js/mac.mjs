// HMAC keys through the AWS SDK for JavaScript v3: tags, their verification, import, and their errors.
import assert from "node:assert/strict";
import { constants, createHmac, createPublicKey, publicEncrypt, randomBytes } from "node:crypto";
import { ok, refused, send } from "./lib.mjs";

const KeyUsage = "GENERATE_VERIFY_MAC";
const newKey = async (bits, more = {}) => (await send("CreateKey", { KeySpec: `HMAC_${bits}`, KeyUsage, ...more })).KeyMetadata.Arn;
const Message = randomBytes(1000);

for (const [bits, size] of [[224, 28], [256, 32], [384, 48], [512, 64]]) {
  const KeyId = await newKey(bits);
  const MacAlgorithm = `HMAC_SHA_${bits}`;
  const { KeyMetadata } = await send("DescribeKey", { KeyId });
  assert.deepEqual([KeyMetadata.KeySpec, KeyMetadata.KeyUsage, KeyMetadata.MacAlgorithms], [`HMAC_${bits}`, KeyUsage, [MacAlgorithm]]);
  assert.equal(KeyMetadata.CurrentKeyMaterialId, undefined);
  const made = await send("GenerateMac", { KeyId, Message, MacAlgorithm });
  assert.deepEqual([made.KeyId, made.MacAlgorithm, made.Mac.length], [KeyId, MacAlgorithm, size]);
  const found = await send("VerifyMac", { KeyId, Message, MacAlgorithm, Mac: made.Mac });
  assert.deepEqual([found.MacValid, found.KeyId, found.MacAlgorithm], [true, KeyId, MacAlgorithm]);
  ok(`GenerateMac, VerifyMac ${MacAlgorithm}`);
  const bent = Buffer.from(made.Mac);
  bent[size - 1] ^= 1;
  for (const [what, Mac] of [["another MAC", bent], ["a truncated MAC", bent.subarray(0, size - 1)], ["an extended MAC", Buffer.concat([made.Mac, bent])]])
    await refused(what, "KMSInvalidMacException", send("VerifyMac", { KeyId, Message, MacAlgorithm, Mac }));
}

const KeyId = await newKey(256, { Tags: [{ TagKey: "qkms:mac-profile", TagValue: "strict" }] });
const { Mac } = await send("GenerateMac", { KeyId, Message, MacAlgorithm: "HMAC_SHA_256" });
assert.equal((await send("VerifyMac", { KeyId, Message, MacAlgorithm: "HMAC_SHA_256", Mac })).MacValid, true);
ok("profile S");

const imported = await newKey(512, { Origin: "EXTERNAL" });
const material = randomBytes(100);
const calls = { GenerateMac: { Message, MacAlgorithm: "HMAC_SHA_256" }, VerifyMac: { Message, MacAlgorithm: "HMAC_SHA_256", Mac } };
await refused("a key without material", "KMSInvalidStateException", send("GenerateMac", { KeyId: imported, Message, MacAlgorithm: "HMAC_SHA_512" }));
const wish = await send("GetParametersForImport", { KeyId: imported, WrappingAlgorithm: "RSAES_OAEP_SHA_256", WrappingKeySpec: "RSA_3072" });
const key = { key: createPublicKey({ key: Buffer.from(wish.PublicKey), format: "der", type: "spki" }), padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: "sha256" };
const back = await send("ImportKeyMaterial", {
  KeyId: imported, ImportToken: wish.ImportToken, EncryptedKeyMaterial: publicEncrypt(key, material), ExpirationModel: "KEY_MATERIAL_DOES_NOT_EXPIRE",
});
assert.deepEqual([back.KeyId, back.KeyMaterialId], [imported, undefined]);
const tag = (await send("GenerateMac", { KeyId: imported, Message, MacAlgorithm: "HMAC_SHA_512" })).Mac;
assert.deepEqual(Buffer.from(tag), createHmac("sha512", material).update(Message).digest());
ok("ImportKeyMaterial; the tag is that of the material");
await send("DeleteImportedKeyMaterial", { KeyId: imported });

const signing = (await send("CreateKey", { KeySpec: "ECC_NIST_P256", KeyUsage: "SIGN_VERIFY" })).KeyMetadata.Arn;
for (const [name, input] of Object.entries(calls)) {
  await refused(`${name} with DryRun`, "DryRunOperationException", send(name, { ...input, KeyId, DryRun: true }));
  await refused(`${name} with a signing key`, "InvalidKeyUsageException", send(name, { ...input, KeyId: signing }));
  await refused(`${name} with another algorithm`, "InvalidKeyUsageException", send(name, { ...input, KeyId, MacAlgorithm: "HMAC_SHA_224" }));
  await refused(`${name} with an unknown key`, "NotFoundException", send(name, { ...input, KeyId: "12345678-1234-1234-1234-123456789012" }));
}
assert.equal((await send("GetKeyRotationStatus", { KeyId })).KeyRotationEnabled, false);
await refused("EnableKeyRotation", "UnsupportedOperationException", send("EnableKeyRotation", { KeyId }));
await send("DisableKey", { KeyId });
for (const [name, input] of Object.entries(calls)) await refused(`${name} with a disabled key`, "DisabledException", send(name, { ...input, KeyId }));
