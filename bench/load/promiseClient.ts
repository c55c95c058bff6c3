/** The load of `client.ts` with this project's client library for programs without Effect, as built. */
import { createConsumer, createProducer } from "effect-nsq/promise"
import { maxInFlight, type Start } from "./client.ts"
import { fail } from "./worker.ts"

export const start: Start = ({ batch, bodyBytes, inFlight, port, role, topic }, count) => {
  const servers = { nsqd: [`127.0.0.1:${port}`] }
  if (role === "consume") {
    const consumer = createConsumer({ topic, channel: "c0", servers, maxInFlight })
    consumer.run(() => count(1), { concurrency: 10 }).catch(fail)
    return
  }
  const producer = createProducer({ servers })
  const body = Buffer.alloc(bodyBytes, "x")
  const bodies = Array.from({ length: batch }, () => body)
  const publish = async (): Promise<void> => {
    while (true) {
      await (batch === 1 ? producer.publish(topic, body) : producer.publishAll(topic, bodies))
      count(batch)
    }
  }
  for (let i = 0; i < inFlight; i++) publish().catch(fail)
}
