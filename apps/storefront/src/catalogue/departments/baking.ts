import { kind, variant, type Department } from "../product.ts";

export const baking: Department = {
  id: "baking",
  name: { en: "Baking", zh: "烘焙" },
  kinds: [
    kind("bowl", "Mixing bowls", "搅拌碗", 24,
      variant("deep bowl", "深搅拌碗", "High walls, so that the flour stays where it was put.", "碗壁高，面粉不乱飞。"),
      variant("lipped bowl", "带嘴搅拌碗", "Pours batter without a drop on the table.", "倒面糊一滴不洒。"),
      variant("proving bowl", "发酵碗", "Wide and calm, as dough likes it.", "宽大安稳，面团喜欢。")),
    kind("whisk", "Whisks", "打蛋器", 11,
      variant("balloon whisk", "球形打蛋器", "Peaks in two minutes, without a socket.", "不插电，两分钟打出尖角。"),
      variant("flat whisk", "扁平打蛋器", "Gets into the corner where the sauce burns.", "锅角容易糊的地方也搅得到。"),
      variant("coil whisk", "弹簧打蛋器", "Bounces, and so does the cream.", "一弹一弹，奶油就起来了。")),
    kind("rolling-pin", "Rolling pins", "擀面杖", 19,
      variant("French rolling pin", "法式擀面杖", "Tapered, so that rounds come out round.", "两头渐细，擀圆就是圆。"),
      variant("handled rolling pin", "带柄擀面杖", "Turns on bearings and forgives tired wrists.", "轴承转动，手腕不累。"),
      variant("dumpling rolling pin", "饺子擀面杖", "Short, quick, made for a hundred wrappers.", "短小灵活，擀一百张皮也不累。")),
    kind("apron", "Aprons", "围裙", 28,
      variant("cross-back apron", "交叉背带围裙", "Nothing to tie, nothing around the neck.", "不用系带，脖子不受累。"),
      variant("bib apron", "挂脖围裙", "Two pockets, one for the thermometer.", "两个口袋，一个放温度计。"),
      variant("waist apron", "半身围裙", "For those who bake between two meetings.", "适合在两个会议之间烤面包的人。")),
  ],
};
