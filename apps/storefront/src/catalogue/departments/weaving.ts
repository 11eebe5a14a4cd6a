import { kind, variant, type Department } from "../product.ts";

export const weaving: Department = {
  id: "weaving",
  name: { en: "Weaving & knitting", zh: "织造" },
  kinds: [
    kind("loom", "Looms", "织机", 89,
      variant("frame loom", "框式织机", "A first wall hanging by Sunday evening.", "周日晚上就能织好第一幅挂毯。"),
      variant("rigid-heddle loom", "综片织机", "One heddle, two sheds, scarves without end.", "一片综，两个梭口，围巾织不完。"),
      variant("table loom", "台式织机", "Four shafts on the kitchen table.", "厨房桌上的四综织机。")),
    kind("yarn", "Yarn", "毛线", 9,
      variant("wool yarn", "羊毛线", "From sheep that have names.", "来自有名字的羊。"),
      variant("cotton yarn", "棉线", "Cool, strong, and fond of the washing machine.", "凉爽结实，不怕机洗。"),
      variant("linen yarn", "亚麻线", "Crisp today, soft in ten years.", "今天挺括，十年后柔软。")),
    kind("needles", "Knitting needles", "棒针", 13,
      variant("straight needles", "直棒针", "A pair that clicks like a clock.", "一对直针，织起来像钟摆。"),
      variant("circular needles", "环形针", "A whole sweater on one cable.", "一根线缆，织完一整件毛衣。"),
      variant("sock needles", "袜针", "Five short ones, for the fear of heels.", "五根短针，专治不会织袜跟。")),
    kind("basket", "Baskets", "编织篮", 33,
      variant("yarn basket", "线篮", "A slot for the thread, so that the ball may roll.", "留了线口，线团可以随便滚。"),
      variant("willow basket", "柳编篮", "Woven wet, dried slowly, creaks a little.", "湿编慢干，会轻轻作响。"),
      variant("seagrass basket", "海草篮", "Folds flat when the project is done.", "作品完成后可以压平收起。")),
  ],
};
