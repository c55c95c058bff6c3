/** The row of the browser of messages: one message among 10 million that wait in a durable topic, by each filter. */
import { type Daemon, request, withDaemon } from "./daemon.ts"
import * as Load from "./load.ts"
import { bodyBytes, topic } from "./loads.ts"
import type { Row } from "./row.ts"

const messages = 10_000_000
const batch = 500
const batches = messages / batch
const requestsAtOnce = 4
/** The most that nsqd permits for a page. */
const budgetMilliseconds = 30_000

/** The last message, and the filters that find it alone. */
const wanted = { user: { id: 4711, name: "jane" }, status: "failed", tag: "order-4711" }
const filters = {
  contains: "contains=order-4711",
  json: "json=user.id=4711",
  regex: "regex=order-%5Cd%2B"
}

const bodyOf = (fields: object): Buffer => {
  const text = JSON.stringify({ ...fields, other: { status: "queued", code: 7 }, note: "" })
  return Buffer.from(text.replace(/""}$/, `"${"lorem ipsum ".repeat(20).slice(0, bodyBytes - text.length)}"}`))
}

/** An MPUB whose last message is `last`. */
const batchOf = (last: object): Uint8Array<ArrayBuffer> => {
  const bodies = Array.from(
    { length: batch },
    (_, i) =>
      bodyOf(i === batch - 1 ? last : { user: { id: 100_000 + i, name: `user${i}` }, status: "sent", tag: "order" })
  )
  const number = (value: number): Buffer => {
    const bytes = Buffer.alloc(4)
    bytes.writeUInt32BE(value)
    return bytes
  }
  return Uint8Array.from(Buffer.concat([number(batch), ...bodies.flatMap((body) => [number(body.length), body])]))
}

const preload = async (daemon: Daemon): Promise<void> => {
  await daemon.createChannels(topic, 1)
  const usual = batchOf({ user: { id: 1, name: "joe" }, status: "sent", tag: "order" })
  const publish = (body: Uint8Array<ArrayBuffer>) =>
    request(daemon.httpPort, "POST", `/mpub?binary=true&topic=${topic}`, body)
  let left = batches - 1
  const publisher = async (): Promise<void> => {
    while (left-- > 0) await publish(usual)
  }
  await Promise.all(Array.from({ length: requestsAtOnce }, publisher))
  await publish(batchOf(wanted))
  await daemon.awaitDepth(topic, messages)
}

interface Page {
  readonly messages: ReadonlyArray<{ readonly sequence: number }>
  readonly next: number | null
}

/** Returns the time of a search, in ms. */
const search = async ({ httpPort }: Daemon, filter: string): Promise<number> => {
  const begin = performance.now()
  const text = await request(httpPort, "GET", `/messages?topic=${topic}&budget=${budgetMilliseconds}&${filter}`)
  const page = JSON.parse(text) as Page
  if (page.messages[0]?.sequence !== messages || page.next !== null) {
    throw new Error(`${filter} did not find the message`)
  }
  return performance.now() - begin
}

export const browseRow: Row = {
  name: "browse",
  group: "durable",
  measures: [
    { name: "one of 10 million waiting messages by a text", unit: "ms", better: "lower" },
    { name: "by a value of their JSON", unit: "ms", better: "lower" },
    { name: "by a regular expression", unit: "ms", better: "lower" },
    { name: "longest wait for an OK meanwhile", unit: "ms", better: "lower" },
    { name: "longest wait for /ping meanwhile", unit: "ms", better: "lower" }
  ],
  run: (command) =>
    withDaemon(command, ["--durability=written"], async (daemon) => {
      await preload(daemon)
      const times: Array<number> = []
      const job: Load.Job = ["probe", { tcpPort: daemon.tcpPort, httpPort: daemon.httpPort }]
      const { http = NaN, tcp = NaN } = await Load.beside(job, async () => {
        for (const filter of Object.values(filters)) times.push(await search(daemon, filter))
      })
      return [...times, tcp, http]
    })
}
