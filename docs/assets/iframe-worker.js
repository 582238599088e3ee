// A page that is opened from disk may start no worker: the search then runs in a hidden frame of the page.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super()
      this.waiting = []
      this.frame = Object.assign(document.createElement("iframe"), { hidden: true, title: "search" })
      document.body.append(this.frame)
      const inside = this.frame.contentWindow
      inside.postMessage = data => this.answer(data)
      inside.importScripts = (...urls) => Promise.all(urls.map(each => this.load(each)))
      this.load(url).then(() => {
        const waiting = this.waiting
        this.waiting = null
        waiting.forEach(data => this.postMessage(data))
      })
    }

    load(url) {
      const inside = this.frame.contentDocument
      return new Promise((loaded, failed) => {
        const script = Object.assign(inside.createElement("script"), { src: url, onload: loaded, onerror: failed })
        inside.head.append(script)
      })
    }

    answer(data) {
      const event = new MessageEvent("message", { data })
      this.dispatchEvent(event)
      this.onmessage?.(event)
    }

    postMessage(data) {
      if (this.waiting) this.waiting.push(data)
      else this.frame.contentWindow.dispatchEvent(new this.frame.contentWindow.MessageEvent("message", { data }))
    }

    terminate() {
      this.frame.remove()
    }
  }
}
