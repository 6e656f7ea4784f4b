// Every operation that is served, through the AWS SDK for JavaScript v3. Endpoint, key and CA come from
// client.env alone, as in any program.
import assert from "node:assert/strict";
import { createHash, createPublicKey, verify } from "node:crypto";
import * as K from "@aws-sdk/client-kms";
import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";
import { kms, ok, refused, send } from "./lib.mjs";

const sts = new STSClient({});

const specs = {
  ECC_NIST_P256: ["ECDSA_SHA_256", "sha256"],
  ECC_SECG_P256K1: ["ECDSA_SHA_256", "sha256"],
  ECC_NIST_P384: ["ECDSA_SHA_384", "sha384"],
  ECC_NIST_P521: ["ECDSA_SHA_512", "sha512"],
};

const identity = await sts.send(new GetCallerIdentityCommand({}));
assert.match(identity.Arn, /:user\/admin$/);
ok("GetCallerIdentity");

let last;
for (const [KeySpec, [SigningAlgorithm, hash]] of Object.entries(specs)) {
  const { KeyMetadata } = await send("CreateKey", { KeySpec, KeyUsage: "SIGN_VERIFY", Description: KeySpec });
  assert.equal(KeyMetadata.KeySpec, KeySpec);
  assert.ok(KeyMetadata.CreationDate instanceof Date && Math.abs(KeyMetadata.CreationDate - Date.now()) < 60_000);
  const KeyId = (last = KeyMetadata.KeyId);
  const { PublicKey } = await send("GetPublicKey", { KeyId });
  const key = createPublicKey({ key: Buffer.from(PublicKey), format: "der", type: "spki" });
  const Message = Buffer.from(`message for ${KeySpec}`);
  const raw = await send("Sign", { KeyId, Message, MessageType: "RAW", SigningAlgorithm });
  assert.ok(verify(hash, Message, key, raw.Signature));
  const digest = await send("Sign", {
    KeyId, Message: createHash(hash).update(Message).digest(), MessageType: "DIGEST", SigningAlgorithm,
  });
  assert.ok(verify(hash, Message, key, digest.Signature));
  const { SignatureValid } = await send("Verify", { KeyId, Message, MessageType: "RAW", SigningAlgorithm, Signature: raw.Signature });
  assert.equal(SignatureValid, true);
  const bent = Buffer.from(raw.Signature);
  bent[bent.length - 1] ^= 1;
  await refused(`${KeySpec}: a tampered signature`, "KMSInvalidSignatureException",
    send("Verify", { KeyId, Message, MessageType: "RAW", SigningAlgorithm, Signature: bent }));
  ok(`${KeySpec}: CreateKey, GetPublicKey, Sign RAW and DIGEST, Verify`);
}

const request = { KeyId: last, Message: Buffer.from("m"), MessageType: "RAW", SigningAlgorithm: "ECDSA_SHA_512" };
const keys = [];
for await (const page of K.paginateListKeys({ client: kms, pageSize: 2 }, {})) keys.push(...page.Keys);
assert.ok(keys.some((k) => k.KeyId === last));
ok("ListKeys");
await send("UpdateKeyDescription", { KeyId: last, Description: "changed ✓" });
assert.equal((await send("DescribeKey", { KeyId: last })).KeyMetadata.Description, "changed ✓");
ok("UpdateKeyDescription, DescribeKey");
await refused("Sign with DryRun", "DryRunOperationException", send("Sign", { ...request, DryRun: true }));
const { Signature } = await send("Sign", request);
await refused("Verify with DryRun", "DryRunOperationException", send("Verify", { ...request, Signature, DryRun: true }));
await refused("Sign with an algorithm of another curve", "InvalidKeyUsageException",
  send("Sign", { ...request, SigningAlgorithm: "ECDSA_SHA_256" }));
await send("DisableKey", { KeyId: last });
assert.equal((await send("DescribeKey", { KeyId: last })).KeyMetadata.KeyState, "Disabled");
await refused("a disabled key", "DisabledException", send("Sign", request));
await send("EnableKey", { KeyId: last });
await send("Sign", request);
ok("EnableKey");
const gone = await send("ScheduleKeyDeletion", { KeyId: last, PendingWindowInDays: 7 });
assert.ok(gone.DeletionDate instanceof Date && gone.KeyState === "PendingDeletion");
await refused("a key pending deletion", "KMSInvalidStateException", send("Sign", request));
for (const name of ["EnableKey", "DisableKey", "ScheduleKeyDeletion"])
  await refused(`${name} of it`, "KMSInvalidStateException", send(name, { KeyId: last }));
await send("CancelKeyDeletion", { KeyId: last });
await refused("CancelKeyDeletion twice", "KMSInvalidStateException", send("CancelKeyDeletion", { KeyId: last }));
await send("EnableKey", { KeyId: last });
ok("ScheduleKeyDeletion, CancelKeyDeletion");
const none = { KeyId: "12345678-1234-1234-1234-123456789012" };
for (const name of ["DescribeKey", "GetPublicKey"]) await refused(`${name} of an unknown key`, "NotFoundException", send(name, none));
await refused("UpdateKeyDescription of it", "NotFoundException", send("UpdateKeyDescription", { ...none, Description: "x" }));
await refused("ListKeys from a marker that is none", "InvalidMarkerException", send("ListKeys", { Marker: "nonsense" }));
const created = { KeySpec: "ECC_NIST_P256", KeyUsage: "SIGN_VERIFY" };
await refused("CreateKey with a policy that is none", "MalformedPolicyDocumentException", send("CreateKey", { ...created, Policy: "{" }));
await refused("CreateKey of a kind that is not served", "UnsupportedOperationException", send("CreateKey", { ...created, KeySpec: "RSA_2048" }));
await refused("an operation that is not served", "UnsupportedOperationException", send("ListAliases"));
const stranger = { accessKeyId: "AKIAAAAAAAAAAAAAAAAA", secretAccessKey: "x".repeat(40) };
await refused("GetCallerIdentity with an unknown access key", "InvalidClientTokenId",
  new STSClient({ credentials: stranger }).send(new GetCallerIdentityCommand({})));
await refused("ListKeys with it", "UnrecognizedClientException", new K.KMSClient({ credentials: stranger }).send(new K.ListKeysCommand({})));
