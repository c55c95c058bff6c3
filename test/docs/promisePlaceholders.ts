/** What the snippets of `effect-nsq/promise` use without declaring it. */
import type { Producer } from "effect-nsq/promise"

export declare const producer: Producer
