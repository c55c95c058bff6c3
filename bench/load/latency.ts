/**
 * End-to-end latency at a constant rate. One connection publishes messages with their send time, another consumes them with RDY
 * 2500; both are in this process and share its monotonic clock. A 1 ms timer sends the messages that are due; the publisher
 * does not wait for responses, so a slow daemon shows as latency, not as a lower rate. The load continues after the window, so
 * that output buffering does not hold back its last messages.
 */
import { Connection } from "./connection.ts"
import { fail, sleep, type Window, work } from "./worker.ts"

export interface LatencyConfig extends Window {
  readonly port: number
  readonly topic: string
  readonly messagesPerSecond: number
  readonly bodyBytes: number
}

const stampBytes = 8
const coolDownSeconds = 0.5
/** Timeout for the last messages. */
const stragglersSeconds = 3

const percentile = (sorted: Float64Array, fraction: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * fraction))] ?? 0

work(async (config: LatencyConfig) => {
  const perMillisecond = config.messagesPerSecond / 1000
  const warmUp = Math.ceil(config.messagesPerSecond * config.warmUpSeconds)
  const measured = Math.ceil(config.messagesPerSecond * config.seconds)
  const total = warmUp + measured + Math.ceil(config.messagesPerSecond * coolDownSeconds)
  const samples = new Float64Array(total)
  let received = 0
  let acknowledged = 0

  const stampOf = new DataView(new ArrayBuffer(stampBytes))
  const consumer = new Connection({
    port: config.port,
    bodyBytes: stampBytes,
    onFailure: fail,
    onMessage: (bytes, bodyAt) => {
      for (let i = 0; i < stampBytes; i++) stampOf.setUint8(i, bytes[bodyAt + i]!)
      if (received < total) samples[received] = performance.now() - stampOf.getFloat64(0)
      received++
    }
  })
  await consumer.open("consumer")
  await consumer.subscribe(config.topic, "c0")
  const producer = new Connection({ port: config.port, onFailure: fail, onOks: (count) => (acknowledged += count) })
  await producer.open("producer")

  const head = Buffer.from(`PUB ${config.topic}\n\0\0\0\0`, "latin1")
  head.writeUInt32BE(config.bodyBytes, head.length - 4)
  const one = Buffer.concat([head, Buffer.alloc(config.bodyBytes, "x")])

  const send = (count: number): void => {
    const group = Buffer.allocUnsafe(count * one.length)
    for (let i = 0; i < count; i++) {
      one.copy(group, i * one.length)
      group.writeDoubleBE(performance.now(), i * one.length + head.length)
    }
    producer.write(group)
  }
  const sendAll = (): Promise<void> =>
    new Promise((resolve) => {
      const startedAt = performance.now()
      let sent = 0
      const timer = setInterval(() => {
        const due = Math.min(total, Math.floor((performance.now() - startedAt) * perMillisecond))
        if (due > sent) send(due - sent)
        sent = due
        if (sent < total) return
        clearInterval(timer)
        resolve()
      }, 1)
    })

  return async () => {
    consumer.ready(2500)
    await sendAll()
    const missing = (): number => total - received
    for (let waited = 0; missing() > 0 && waited < stragglersSeconds * 1000; waited += 10) await sleep(10)
    if (received !== total || acknowledged !== total) {
      throw new Error(`of ${total} messages ${acknowledged} were acknowledged and ${received} delivered`)
    }
    const sorted = samples.subarray(warmUp, warmUp + measured).sort()
    return {
      p50: percentile(sorted, 0.5),
      p99: percentile(sorted, 0.99),
      p999: percentile(sorted, 0.999)
    }
  }
})
