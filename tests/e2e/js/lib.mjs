// What the tests in this folder share. Endpoint, key and CA come from client.env alone, as in any program.
import assert from "node:assert/strict";
import * as K from "@aws-sdk/client-kms";

export const kms = new K.KMSClient({});
export const ok = (text) => console.log(`ok   ${text}`);
export const send = (name, input = {}) => kms.send(new K[`${name}Command`](input));

export async function refused(text, name, promise) {
  await assert.rejects(promise, (error) => {
    assert.equal(error.name, name, `${text}: ${error.name}: ${error.message}`);
    return true;
  });
  ok(`${text}: ${name}`);
}
