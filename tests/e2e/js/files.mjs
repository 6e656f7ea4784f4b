// files.mjs encrypt|decrypt KEY-ARN[,KEY-ARN...] IN OUT [NAME=VALUE...]: a file through the AWS Encryption SDK. The
// first key makes the data key, each can open it. The pairs are the encryption context; who decrypts says
// which ones he expects.
import { createReadStream, createWriteStream } from "node:fs";
import { rm } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { buildClient, CommitmentPolicy, KmsKeyringNode } from "@aws-crypto/client-node";

const [way, keys, input, output, ...pairs] = process.argv.slice(2);
const context = Object.fromEntries(pairs.map((pair) => pair.split(/=(.*)/s, 2)));
const { encryptStream, decryptStream } = buildClient(CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT);
const [generatorKeyId, ...keyIds] = keys.split(",");
const keyring = way === "encrypt" ? new KmsKeyringNode({ generatorKeyId, keyIds }) : new KmsKeyringNode({ keyIds: keys.split(",") });

function expect(header) {
  for (const [name, value] of Object.entries(context))
    if (header.encryptionContext[name] !== value) throw new Error(`the encryption context has no ${name}=${value}`);
}

try {
  if (way === "encrypt") {
    const stream = encryptStream(keyring, { encryptionContext: context });
    await pipeline(createReadStream(input), stream, createWriteStream(output));
  } else {
    const stream = decryptStream(keyring);
    stream.once("MessageHeader", (header) => {
      try {
        expect(header);
      } catch (error) {
        stream.destroy(error);
      }
    });
    await pipeline(createReadStream(input), stream, createWriteStream(output));
  }
} catch (error) {
  await rm(output, { force: true });
  console.error(`${error.name}: ${error.message}`);
  process.exit(1);
}
