// A verdict is sent until the server says that it is on the disk.
import { ask, newKey, Refusal, Silence, speaker } from "./server.js";

const PAUSES = [300, 600, 1000, 2000, 3000]; // milliseconds between tries; the last one again and again

let pending = 0;
addEventListener("beforeunload", (event) => {
  if (pending) event.preventDefault(); // the browser asks whether to leave
});
export const isSaving = () => pending > 0;

// What goes by: no answer, a full disk, and a link that has to be opened anew.
const passes = (error) =>
  error instanceof Silence ||
  (error instanceof Refusal && (error.status >= 500 || [401, 408, 429].includes(error.status))) ||
  (error instanceof Refusal && error.status === 403 && error.code !== "not_judged");

const essence = ({ name, pairs, digest }) => JSON.stringify([name, pairs, digest]);
let served = null;
export const servedSet = (set) => {
  served = essence(set);
};
// After a restart the same number may be another pair, and the person a stranger.
const checkServer = async () => {
  const now = essence(await ask("/set"));
  if (served !== null && now !== served) {
    throw new Refusal(409, {
      error: "Not saved: the server now has another pair set. Reload the page.",
      code: "other_set",
    });
  }
  await ask("/annotators", { name: speaker() });
};

let wake = () => {};
export const tryNow = () => wake();
addEventListener("online", tryNow);
const pause = (time) =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, time);
    wake = () => {
      clearTimeout(timer);
      resolve();
    };
  });

// Sends `body` under one key, so that it counts once however often it arrives.
export const save = async (path, body, { onTrouble, onRecovery }) => {
  const sent = { key: newKey(), ...body };
  let troubled = false;
  pending += 1;
  try {
    for (let tries = 0; ; tries += 1) {
      try {
        if (troubled) await checkServer();
        const answer = await ask(path, sent);
        if (troubled) onRecovery();
        return answer;
      } catch (error) {
        if (!passes(error)) throw error;
        troubled = true;
        onTrouble(error.message);
        await pause(PAUSES[Math.min(tries, PAUSES.length - 1)]);
      }
    }
  } finally {
    pending -= 1;
  }
};
