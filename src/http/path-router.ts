// Finds the route of a request. Paths without parameters are most of the traffic: each is looked for once.
import type { Result, Router } from 'hono/router'
import { RegExpRouter } from 'hono/router/reg-exp-router'
import { SmartRouter } from 'hono/router/smart-router'
import { TrieRouter } from 'hono/router/trie-router'

/** Hono's own router, with a memory of the paths that were mounted as they are: no request makes it grow. */
export class PathRouter<T> implements Router<T> {
  readonly name = 'PathRouter'
  readonly #router = new SmartRouter<T>({ routers: [new RegExpRouter(), new TrieRouter()] })
  readonly #plain = new Set<string>()
  readonly #found = new Map<string, Map<string, Result<T>>>()

  add(method: string, path: string, handler: T): void {
    this.#router.add(method, path, handler)
    if (!/[:*]/.test(path)) this.#plain.add(path)
    if (!this.#found.has(method)) this.#found.set(method, new Map())
  }

  match(method: string, path: string): Result<T> {
    const ofMethod = this.#found.get(method)
    const known = ofMethod?.get(path)
    if (known) return known
    const result = this.#router.match(method, path)
    if (this.#plain.has(path)) ofMethod?.set(path, result)
    return result
  }
}
