/**
 * The ports that are really listened on, for `/info` and for what is announced to others. Each listener writes its own port
 * here once it is bound; nobody else changes anything.
 */
import { Context, Layer } from "effect"

export class ListenAddresses extends Context.Service<ListenAddresses, {
  /** -1 for a unix socket, 0 while nothing is bound. */
  tcpPort: number
  /** -1 for a unix socket, 0 while nothing is bound or when HTTP is off. */
  httpPort: number
  /** 0 while nothing is bound or when HTTPS is off. */
  httpsPort: number
}>()("effect-nsq/ListenAddresses") {
  static readonly layer = Layer.sync(ListenAddresses, () => ({ tcpPort: 0, httpPort: 0, httpsPort: 0 }))
}
