/**
 * A custom Storage: messages that memory does not hold, and the metadata, are in an SQLite database. `node:sqlite` needs no
 * dependency. The tests check it with `StorageLaws`.
 *
 * Run it with `node examples/sqlite.ts` after `npm run build`.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Console, Effect, Layer, Schema, Stream } from "effect"
import { Nsqd, protocol } from "effect-nsq"
import { consume, Policy, publish, readOptions, Storage, StorageError, StorageErrorReason } from "effect-nsq/broker"
import * as Path from "node:path"
import { DatabaseSync } from "node:sqlite"

const { walkRecords } = protocol.DiskQueueFormat

/** A frame, whose position the broker settles, is a record with four more bytes. */
const frameExcess = 4

const failed = (cause: unknown): StorageError => {
  const description = cause instanceof Error ? cause.message : String(cause)
  return new StorageError({
    reason: /disk is full/.test(description)
      ? StorageErrorReason.DiskFull({ description, code: "ENOSPC" })
      : StorageErrorReason.DiskFailure({ description, code: "EIO" })
  })
}

const attempt = <A>(work: () => A): Effect.Effect<A, StorageError> => Effect.try({ try: work, catch: failed })

const tables = `
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = NORMAL;
  CREATE TABLE IF NOT EXISTS queues (name TEXT PRIMARY KEY);
  CREATE TABLE IF NOT EXISTS messages (id INTEGER PRIMARY KEY AUTOINCREMENT, queue TEXT NOT NULL, record BLOB NOT NULL);
  CREATE INDEX IF NOT EXISTS by_queue ON messages (queue, id);
  CREATE TABLE IF NOT EXISTS created (name TEXT PRIMARY KEY);
  CREATE TABLE IF NOT EXISTS documents (name TEXT PRIMARY KEY, json TEXT NOT NULL);
`

const open = (path: string) =>
  Effect.acquireRelease(
    attempt(() => {
      const database = new DatabaseSync(path)
      database.exec(tables)
      return database
    }),
    (database) => Effect.sync(() => database.close())
  )

type Row = { readonly id: number; readonly record: Uint8Array }

/** A queue: a message is a row until it is settled; rows after `cursor` are not read yet. */
const makeQueue = (database: DatabaseSync, name: string) => {
  const insert = database.prepare("INSERT INTO messages (queue, record) VALUES (?, ?)")
  const select = database.prepare("SELECT id, record FROM messages WHERE queue = ? AND id > ? ORDER BY id LIMIT 100")
  const remove = database.prepare("DELETE FROM messages WHERE id = ?")
  const count = database.prepare("SELECT COUNT(*) AS n FROM messages WHERE queue = ?")
  let cursor = 0
  let waiting = Number(count.get(name)?.["n"])

  const transaction = (work: () => void): void => {
    database.exec("BEGIN")
    try {
      work()
      database.exec("COMMIT")
    } catch (cause) {
      database.exec("ROLLBACK")
      throw cause
    }
  }

  const clear = attempt(() => {
    database.prepare("DELETE FROM messages WHERE queue = ?").run(name)
    waiting = 0
  })

  return {
    name,
    get depth() {
      return waiting
    },
    get hasMore() {
      return waiting > 0
    },
    append: (runs: ReadonlyArray<protocol.MessageBatch.StoredRecords>) =>
      attempt(() => {
        let added = 0
        transaction(() => {
          for (const { bytes, end, start } of runs) {
            const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
            for (let at = start; at < end;) {
              const next = at + 4 + buffer.readInt32BE(at)
              insert.run(name, buffer.subarray(at, next))
              added++
              at = next
            }
          }
        })
        waiting += added
      }),
    read: (maxBytes: number) =>
      attempt(() => {
        const rows: Array<Row> = []
        /** The position of each message's frame, and its row. */
        const ids = new Map<number, number>()
        const order: Array<number> = []
        let size = 0
        for (const { id, record } of select.iterate(name, cursor)) {
          if (typeof id !== "number" || !(record instanceof Uint8Array)) continue
          if (rows.length > 0 && size + record.length > maxBytes) break
          const position = size + frameExcess * rows.length
          ids.set(position, rows.length)
          order.push(id)
          rows.push({ id, record })
          size += record.length
        }
        const last = rows.at(-1)
        if (last === undefined) return undefined
        cursor = last.id
        waiting -= rows.length
        const bytes = Buffer.concat(rows.map(({ record }) => record))
        return {
          bytes,
          start: 0,
          end: walkRecords(bytes, 0, bytes.length, Infinity).end,
          count: rows.length,
          ledger: {
            settle: (position: number, settled: number) => {
              const first = ids.get(position) ?? 0
              for (const id of order.slice(first, first + settled)) remove.run(id)
            }
          }
        }
      }),
    // Appending is one transaction, so that a message is stored completely or not at all.
    recent: Effect.succeed(new Set<string>()),
    sync: Effect.void,
    empty: clear,
    delete: Effect.andThen(clear, attempt(() => void database.prepare("DELETE FROM queues WHERE name = ?").run(name)))
  }
}

const Metadata = Schema.fromJsonString(protocol.NsqdMetadata.NsqdMetadata)
const Durabilities = Schema.fromJsonString(
  Schema.Array(Schema.Tuple([Schema.String, Schema.Literals(["memory", "written", "synced"])]))
)

const Policies = Schema.fromJsonString(Schema.Array(Policy))

/** Adds a topic, or a channel named `topic:channel`, that was created after the metadata was saved. */
const withCreated = (
  metadata: protocol.NsqdMetadata.NsqdMetadata,
  created: string
): protocol.NsqdMetadata.NsqdMetadata => {
  const [topicName = "", channelName] = created.split(":")
  const topics = metadata.topics ?? []
  const topic = topics.find(({ name }) => name === topicName) ?? { name: topicName, paused: false, channels: null }
  const channels = topic.channels ?? []
  const isNew = channelName !== undefined && channels.every(({ name }) => name !== channelName)
  const changed = isNew ? { ...topic, channels: [...channels, { name: channelName, paused: false }] } : topic
  return { ...metadata, topics: [...topics.filter(({ name }) => name !== topicName), changed] }
}

/** The Storage in the database at `path`; its directory must exist. Durable topics need a log, which it does not have. */
export const layerAt = (path: string): Layer.Layer<Storage, StorageError> =>
  Layer.effect(
    Storage,
    Effect.gen(function*() {
      const database = yield* open(path)
      const run = (sql: string, ...values: ReadonlyArray<string>) =>
        attempt(() => void database.prepare(sql).run(...values))
      const load = <A, I>(name: string, schema: Schema.Codec<A, I>) =>
        attempt(() => database.prepare("SELECT json FROM documents WHERE name = ?").get(name)?.["json"]).pipe(
          Effect.flatMap((found) =>
            found === undefined
              ? Effect.undefined
              : Effect.mapError(Schema.decodeUnknownEffect(schema)(found), failed)
          )
        )
      const save = (name: string, json: string) => run("INSERT OR REPLACE INTO documents VALUES (?, ?)", name, json)
      const note = (name: string) => run("INSERT OR IGNORE INTO queues VALUES (?)", name)
      const created = attempt(() =>
        database.prepare("SELECT name FROM created ORDER BY rowid").all().map(({ name }) => String(name))
      )
      return Storage.of({
        openQueue: (name) => Effect.andThen(note(name), attempt(() => makeQueue(database, name))),
        openLog: (topic) =>
          Effect.fail(
            new StorageError({
              reason: StorageErrorReason.NoDisk({
                description: `cannot open the log of topic "${topic}": this storage has no logs`
              })
            })
          ),
        hasQueue: (name) =>
          attempt(() => database.prepare("SELECT 1 FROM queues WHERE name = ?").get(name) !== undefined),
        hasLog: () => Effect.succeed(false),
        loadDurabilities: Effect.map(load("durabilities", Durabilities), (found) => new Map(found)),
        saveDurabilities: (durabilities) => save("durabilities", JSON.stringify([...durabilities])),
        loadPolicies: Effect.map(load("policies", Policies), (found) => found ?? []),
        savePolicies: (policies) => save("policies", JSON.stringify(policies)),
        loadMetadata: Effect.map(
          Effect.all([load("metadata", Metadata), created]),
          ([saved, names]) =>
            saved === undefined && names.length === 0
              ? undefined
              : names.reduce(withCreated, saved ?? { topics: null, version: "1.3.0" })
        ),
        saveMetadata: (current) =>
          Effect.suspend(() => save("metadata", JSON.stringify(current()))).pipe(
            Effect.andThen(run("DELETE FROM created"))
          ),
        recordCreation: (name, register) =>
          Effect.andThen(run("INSERT OR IGNORE INTO created VALUES (?)", name), register),
        refusal: () => undefined,
        prepareStop: Effect.void,
        health: Effect.undefined
      })
    })
  )

/** The Storage in the data directory of the daemon, which locks it because this Layer reads the option. */
const SqliteStorage = Layer.unwrap(
  Effect.map(readOptions("dataPath"), ({ dataPath }) => layerAt(Path.join(dataPath, "messages.sqlite")))
)

/** Publishes to a daemon that keeps nothing in memory, stops it, and consumes after a restart. */
export const program = (dataPath: string) => {
  const daemon = Nsqd.layerWith({ dataPath, memQueueSize: 0 }, { storage: SqliteStorage, tcp: false, http: false })
  const send = publish("orders", [Buffer.from("tea"), Buffer.from("coffee")])
  const receive = consume("orders", "kitchen", { maxInFlight: 2 }).pipe(
    Stream.tap(({ finish }) => finish),
    Stream.map(({ body }) => Buffer.from(body).toString()),
    Stream.tap((text) => Console.log(text)),
    Stream.take(2),
    Stream.runCollect
  )
  return Effect.andThen(
    Effect.provide(send, daemon, { local: true }),
    Effect.provide(receive, daemon, { local: true })
  )
}

if (import.meta.main) NodeRuntime.runMain(program("."))
