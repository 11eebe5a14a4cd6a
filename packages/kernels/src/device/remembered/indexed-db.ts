import type { StoredText } from "./remembered.ts";

const DATABASE = "heddle";
const STORE = "remembered";

/** A record of the page's database. Two tabs that update it do so one after the other: each sees what the other wrote. */
export function indexedDbText(name: string): StoredText {
  return {
    read: () => transact("readonly", (store, done) => whenDone(store.get(name), (text) => done(asText(text)))),
    update: (change) =>
      transact("readwrite", (store, done) =>
        whenDone(store.get(name), (text) => {
          store.put(change(asText(text)), name);
          done(undefined);
        }),
      ),
  };
}

const asText = (value: unknown): string | null => (typeof value === "string" ? value : null);

function whenDone(request: IDBRequest<unknown>, next: (value: unknown) => void): void {
  request.onsuccess = () => next(request.result);
}

/** Opens the database for one transaction; resolves when that is on disk. Rejects where the browser keeps nothing, as in some private windows. */
async function transact<T>(mode: IDBTransactionMode, work: (store: IDBObjectStore, done: (result: T) => void) => void): Promise<T> {
  const database = await open();
  try {
    return await new Promise<T>((resolve, reject) => {
      const transaction = database.transaction(STORE, mode);
      let result: T;
      transaction.oncomplete = () => resolve(result);
      transaction.onabort = transaction.onerror = () => reject(transaction.error);
      work(transaction.objectStore(STORE), (value) => (result = value));
    });
  } finally {
    database.close();
  }
}

function open(): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(DATABASE, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE);
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
    request.onblocked = () => reject(new Error(`the database ${DATABASE} is being changed by another tab`));
  });
}
