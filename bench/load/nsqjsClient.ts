/** The load of `client.ts` with nsqjs. */
import nsq from "nsqjs"
import { maxInFlight, type Start } from "./client.ts"
import { fail } from "./worker.ts"

export const start: Start = ({ batch, bodyBytes, inFlight, port, role, topic }, count) => {
  if (role === "consume") {
    const reader = new nsq.Reader(topic, "c0", { nsqdTCPAddresses: `127.0.0.1:${port}`, maxInFlight })
    reader.on("message", (message) => {
      message.finish()
      count(1)
    })
    reader.on("error", fail)
    reader.connect()
    return
  }
  const body = "x".repeat(bodyBytes)
  const messages = batch === 1 ? body : Array.from({ length: batch }, () => body)
  const writer = new nsq.Writer("127.0.0.1", port)
  const publish = (): void =>
    writer.publish(topic, messages, (error) => {
      if (error) return fail(error)
      count(batch)
      publish()
    })
  writer.on("ready", () => {
    for (let i = 0; i < inFlight; i++) publish()
  })
  writer.on("error", fail)
  writer.connect()
}
