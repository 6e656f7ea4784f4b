// Imported key material through the AWS SDK for JavaScript v3, wrapped by Node's OpenSSL.
import assert from "node:assert/strict";
import { createCipheriv, createPublicKey, constants, publicEncrypt, randomBytes } from "node:crypto";
import { ok, refused, send } from "./lib.mjs";

const KeyId = (await send("CreateKey", { Origin: "EXTERNAL" })).KeyMetadata.Arn;
const material = randomBytes(32);
const bring = async (bytes, WrappingAlgorithm) => {
  const wish = await send("GetParametersForImport", { KeyId, WrappingAlgorithm, WrappingKeySpec: "RSA_2048" });
  assert.ok(Math.abs(wish.ParametersValidTo - Date.now() - 86_400_000) < 3_600_000);
  const key = { key: createPublicKey({ key: Buffer.from(wish.PublicKey), format: "der", type: "spki" }),
    padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: WrappingAlgorithm.endsWith("SHA_1") ? "sha1" : "sha256" };
  let EncryptedKeyMaterial;
  if (WrappingAlgorithm.startsWith("RSAES")) EncryptedKeyMaterial = publicEncrypt(key, bytes);
  else {
    const kek = randomBytes(32);
    const wrap = createCipheriv("id-aes256-wrap-pad", kek, Buffer.from("A65959A6", "hex"));
    EncryptedKeyMaterial = Buffer.concat([publicEncrypt(key, kek), wrap.update(bytes), wrap.final()]);
  }
  return send("ImportKeyMaterial", { KeyId, ImportToken: wish.ImportToken, EncryptedKeyMaterial, ExpirationModel: "KEY_MATERIAL_DOES_NOT_EXPIRE" });
};
let CiphertextBlob;
for (const algorithm of ["RSAES_OAEP_SHA_256", "RSAES_OAEP_SHA_1", "RSA_AES_KEY_WRAP_SHA_256", "RSA_AES_KEY_WRAP_SHA_1"]) {
  await refused("a key without material", "KMSInvalidStateException", send("Encrypt", { KeyId, Plaintext: material }));
  await bring(material, algorithm);
  CiphertextBlob ??= (await send("Encrypt", { KeyId, Plaintext: Buffer.from("imported") })).CiphertextBlob;
  assert.deepEqual(Buffer.from((await send("Decrypt", { CiphertextBlob })).Plaintext), Buffer.from("imported"));
  await send("DeleteImportedKeyMaterial", { KeyId });
  ok(`GetParametersForImport, ImportKeyMaterial ${algorithm}, DeleteImportedKeyMaterial`);
}
await refused("other material", "IncorrectKeyMaterialException", bring(randomBytes(32), "RSAES_OAEP_SHA_256"));
await refused("a token that is none", "InvalidImportTokenException",
  send("ImportKeyMaterial", { KeyId, ImportToken: material, EncryptedKeyMaterial: randomBytes(256), ExpirationModel: "KEY_MATERIAL_DOES_NOT_EXPIRE" }));
