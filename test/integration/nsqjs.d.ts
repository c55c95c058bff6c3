/** The part of nsqjs that the tests use; the package has no types of its own. */
declare module "nsqjs" {
  import type { EventEmitter } from "node:events"

  interface Message {
    readonly id: string
    readonly attempts: number
    readonly body: Buffer
    readonly hasResponded: boolean
    finish(): void
    requeue(delayMillis?: number, backoff?: boolean): void
    touch(): void
  }

  class Reader extends EventEmitter {
    constructor(topic: string, channel: string, options: Record<string, unknown>)
    connect(): void
    close(): void
  }

  class Writer extends EventEmitter {
    constructor(host: string, port: number, options?: Record<string, unknown>)
    connect(): void
    publish(topic: string, bodies: string | Array<string | Buffer>, done: (error?: Error) => void): void
    close(): void
  }

  const nsq: { readonly Reader: typeof Reader; readonly Writer: typeof Writer }
  export default nsq
  export type { Message, Reader, Writer }
}
